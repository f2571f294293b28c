/**
 * Exponential moving average with the start's bias removed, so that the first value is the first point and not a share of it.
 * Runs over all points that are loaded, never over a zoomed part. Non-numbers are passed over and give null.
 * @param weight 0 (as it is) to below 1.
 */
export function smooth(values: readonly number[], weight: number): (number | null)[] {
  if (weight <= 0) {
    return values.map((v) => (Number.isFinite(v) ? v : null));
  }
  let average = 0;
  let kept = 1;
  return values.map((value) => {
    if (!Number.isFinite(value)) {
      return null;
    }
    average = average * weight + value * (1 - weight);
    kept *= weight;
    return average / (1 - kept);
  });
}
