// The key of a group of destinations, and the type and beginning of its name: what it holds is tried in its order.
export const FIRST_OF = 'first-of'
