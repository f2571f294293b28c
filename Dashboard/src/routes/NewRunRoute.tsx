export function NewRunRoute() { return null; }
