// CRLF → LF in a block of memory, sixteen bytes at a time. JavaScript has no instructions for that; WebAssembly has (SIMD), so the
// few instructions stand here as a module, put together byte by byte. It is only faster: line-endings.ts does the same without it.

const CR = 13
const LF = 10

/** Of one page: the result is in its first half, the source in the other. */
const SOURCE = 32 << 10
/** The longest source. Measured: longer ones are no faster. */
export const MOST_BLOCK_BYTES = 8 << 10

export interface CrlfBlock {
  /** One piece of memory, for the source from `sourceAt` on, and for the result from 0 on. */
  readonly memory: Buffer
  readonly sourceAt: number
  /** Converts so many bytes of the source; returns how many the result has. A CR at the very end stays. */
  readonly convert: (bytes: number) => number
}

/** Only what is used here: the types of Node do not have it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => {
    readonly exports: {
      readonly lf: (from: number, end: number, to: number) => number
      readonly memory: { readonly buffer: ArrayBuffer }
    }
  }
}

/** For another thread, which makes a block of its own. */
export interface CrlfModule {
  /** Of WebAssembly, with the memory `memory` and `lf`, which is `convert` with the source's beginning and end and the result's place. */
  readonly module: Uint8Array
  readonly sourceAt: number
  readonly mostBytes: number
}

/** Null: this system cannot do it. */
export function crlfModule(): CrlfModule | null {
  return crlfBlock() === null ? null : { module: moduleBytes(), sourceAt: SOURCE, mostBytes: MOST_BLOCK_BYTES }
}

let made: CrlfBlock | null | undefined

/** Null: this system cannot do it. */
export function crlfBlock(): CrlfBlock | null {
  if (made === undefined) made = make()
  return made
}

function make(): CrlfBlock | null {
  try {
    const { lf: convert, memory } = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes())).exports
    return {
      memory: Buffer.from(memory.buffer),
      sourceAt: SOURCE,
      convert: (bytes) => convert(SOURCE, SOURCE + bytes, 0),
    }
  } catch {
    // `node --jitless` has no WebAssembly, old processors have not the instructions, and memory may be limited.
    return null
  }
}

// Instructions, as the WebAssembly specification 2.0 has them (§5.4).
type Code = number | readonly number[]
const END = 0x0b
const BLOCK = [0x02, 0x40]
const LOOP = [0x03, 0x40]
const IF = [0x04, 0x40]
const ELSE = 0x05
const REPEAT = [0x0c, 0]
const LEAVE_IF = [0x0d, 1]
const get = (local: number): Code => [0x20, local]
const set = (local: number): Code => [0x21, local]
const tee = (local: number): Code => [0x22, local]
/** Of 0 to 63. */
const int = (value: number): Code => [0x41, value]
const IS_ZERO = 0x45
const EQUAL = 0x46
const LESS = 0x49
const MORE = 0x4b
const TRAILING_ZEROS = 0x68
const ADD = 0x6a
const SUBTRACT = 0x6b
const AND = 0x71
const LOAD_BYTE = [0x2d, 0, 0]
const STORE_BYTE = [0x3a, 0, 0]
const load16 = (offset: number): Code => [0xfd, 0x00, 0, offset]
const STORE16 = [0xfd, 0x0b, 0, 0]
const sixteen = (byte: number): Code => [0xfd, 0x0c, ...Buffer.alloc(16, byte)]
const EQUAL_BYTES = [0xfd, 0x23]
const AND_BYTES = [0xfd, 0x4e]
/** One bit for each of sixteen bytes. */
const BITS = [0xfd, 0x64]
const I32 = 0x7f
const V128 = 0x7b

/** function lf(from, end, to): where the result ends. */
function lf(): readonly number[] {
  const [from, end, to, bits, bytes] = [0, 1, 2, 3, 4]
  const code: readonly (readonly Code[])[] = [
    [2, 1, I32, 1, V128], // the locals bits and bytes
    // While sixteen bytes and the one behind them are there:
    [BLOCK, LOOP, get(from), int(17), ADD, get(end), MORE, LEAVE_IF],
    // bits: where a CR is, with an LF behind it
    [get(from), load16(0), tee(bytes), sixteen(CR), EQUAL_BYTES],
    [get(from), load16(1), sixteen(LF), EQUAL_BYTES, AND_BYTES, BITS, set(bits)],
    // All sixteen are copied. From the LF behind the first such CR on they are copied again, to where the CR was.
    [get(to), get(bytes), STORE16],
    [get(bits), IS_ZERO, IF, advance(from, int(16)), advance(to, int(16)), ELSE],
    [get(bits), TRAILING_ZEROS, set(bits), advance(to, get(bits)), advance(from, get(bits)), advance(from, int(1))],
    [END, REPEAT, END, END],
    // The last few one by one:
    [BLOCK, LOOP, get(from), get(end), LESS, IS_ZERO, LEAVE_IF],
    [get(to), get(from), LOAD_BYTE, tee(bits), STORE_BYTE, advance(from, int(1))],
    // The next byte overwrites it, if it is a CR and an LF is next.
    [get(to), int(1), ADD, get(bits), int(CR), EQUAL, get(from), get(end), LESS, AND],
    [get(from), LOAD_BYTE, int(LF), EQUAL, AND, SUBTRACT, set(to), REPEAT, END, END],
    [get(to), END],
  ]
  return code.flat(2)
}

function advance(local: number, by: Code): Code {
  return [get(local), by, ADD, set(local)].flat()
}

/** A module (§5.5) with that function, and one page of memory. */
function moduleBytes(): Uint8Array {
  const code = lf()
  return Uint8Array.from(
    [
      [0x00, ...Buffer.from('asm'), 1, 0, 0, 0],
      section(1, [1, 0x60, 3, I32, I32, I32, 1, I32]), // types: (i32, i32, i32) → i32
      section(3, [1, 0]), // functions: one, of type 0
      section(5, [1, 1, 1, 1]), // memory: one page, never more
      section(7, [2, 2, ...Buffer.from('lf'), 0, 0, 6, ...Buffer.from('memory'), 2, 0]), // exports
      section(10, [1, ...length(code.length), ...code]),
    ].flat(),
  )
}

function section(id: number, content: readonly number[]): readonly number[] {
  return [id, ...length(content.length), ...content]
}

/** LEB128 of a number below 16384. */
function length(value: number): readonly number[] {
  return value < 128 ? [value] : [(value & 127) | 128, value >> 7]
}
