export function TokensRoute() { return null; }
