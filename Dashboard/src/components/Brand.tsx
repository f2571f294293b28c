/** The arch and the flame. */
export function Brand({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" aria-hidden="true" style={{ flex: "none" }}>
      <path d="M3.500 21V11a8.500 8.500 0 0 1 17 0v10M1.500 21h21" stroke="var(--text)" strokeWidth="1.900" strokeLinecap="round" />
      <path d="M12 9c.7 2.200 3.800 3.600 3.800 6.700a3.800 3.800 0 0 1-7.600 0c0-1.600 1-2.400 1.600-3.400.3 1 .8 1.400 1.300 1.400.2-1.700-.2-3.100.9-4.700Z" fill="var(--accent)" />
    </svg>
  );
}
