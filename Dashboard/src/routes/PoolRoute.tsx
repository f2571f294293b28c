export function PoolRoute() { return null; }
