// Counts what a piece of work does, in steps and not in time. Each call of a function of the language costs what it goes
// through. A look into a map costs 1, a search in an array or text its length, a copy of bytes their number. The same on every
// machine.

/** The steps of one call: `self` is what it was called on. */
type Cost = (self: Sized, args: readonly unknown[], result: unknown) => number

interface Sized {
  readonly length?: number
}

const one: Cost = () => 1
const whole: Cost = ({ length = 1 }) => Math.max(1, length)
const given: Cost = (_, args) => args.length
const made: Cost = (_, __, result) => sizeOf(result)
/** A search ends where it finds. */
const search: Cost = ({ length = 1 }, [, from = 0], found) =>
  typeof found === 'number' && found >= 0 ? Math.abs(found - Number(from)) + 1 : Math.max(1, length - Number(from))
const argument: Cost = (_, [first]) => sizeOf(first)

function sizeOf(value: unknown): number {
  if (typeof value === 'number') return Math.max(1, value)
  const { length } = Object(value) as Sized
  return Math.max(1, length ?? 1)
}

const COUNTED: readonly (readonly [place: object, cost: Cost, names: readonly string[]])[] = [
  [Map.prototype, one, ['get', 'set', 'has', 'delete']],
  [Set.prototype, one, ['add', 'has', 'delete']],
  [Map, argument, ['groupBy']],
  [
    Array.prototype,
    whole,
    [
      'indexOf',
      'lastIndexOf',
      'includes',
      'find',
      'findIndex',
      'findLast',
      'filter',
      'map',
      'flatMap',
      'some',
      'every',
      'forEach',
      'reduce',
      'splice',
      'concat',
      'join',
      'sort',
      'toSorted',
      'toReversed',
      'shift',
      'unshift',
    ],
  ],
  [Array.prototype, made, ['slice']],
  [Array.prototype, given, ['push']],
  [Array, argument, ['from']],
  [
    String.prototype,
    whole,
    [
      'indexOf',
      'includes',
      'split',
      'replace',
      'replaceAll',
      'match',
      'matchAll',
      'toLowerCase',
      'toUpperCase',
      'trim',
    ],
  ],
  [String.prototype, made, ['slice', 'padStart']],
  [Buffer.prototype, search, ['indexOf']],
  [Buffer.prototype, whole, ['includes', 'fill', 'equals']],
  [Buffer.prototype, made, ['copy', 'toString']],
  [Buffer.prototype, one, ['subarray']],
  [Buffer, made, ['alloc', 'allocUnsafe', 'concat', 'from']],
  [Uint8Array.prototype, argument, ['set']],
]

/** How many steps the work takes. Nothing else may be at work meanwhile. */
export async function stepsOf(work: () => unknown): Promise<number> {
  let steps = 0
  const restore: (() => void)[] = []
  for (const [place, cost, names] of COUNTED) {
    for (const name of names) {
      const found = Object.getOwnPropertyDescriptor(place, name)
      if (found === undefined) continue
      const original = found.value as (...args: unknown[]) => unknown
      // Its own function for each: of the language, called on whatever it was called on.
      const counted = function (this: Sized, ...args: unknown[]): unknown {
        const result = Reflect.apply(original, this, args)
        steps += cost(this, args, result)
        return result
      }
      Object.defineProperty(place, name, { ...found, value: counted })
      restore.push(() => Object.defineProperty(place, name, found))
    }
  }
  try {
    await work()
  } finally {
    for (const undo of restore) undo()
  }
  return steps
}
