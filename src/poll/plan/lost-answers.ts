// How often the answer to a delivery may be lost (DESIGN 4.3, P2). The rule: a destination that shows what it has leaves no doubt,
// be the answer lost for the tenth time.

/** After so many, another copy would be one too many. */
export const MOST_UNKNOWNS = 3
export const LOST_ANSWERS = `the answer to its delivery was lost ${MOST_UNKNOWNS} times; it may be there already`

/** Can the destination of this name show what it has? */
export type Shows = (destination: string) => boolean

/** Was the answer to one of these deliveries lost once too often? */
export function isLostTooOften(
  deliveries: readonly { readonly destination: string; readonly unknowns: number }[],
  shows: Shows,
): boolean {
  return deliveries.some(({ destination, unknowns }) => unknowns >= MOST_UNKNOWNS && !shows(destination))
}
