// The pages of a SQLite file that may be damaged, as they were last committed: those of the file, and over them those of its
// write-ahead log. Reads bytes, without SQLite, which refuses a file whose beginning is damaged. One rule: nothing that stands in
// the file is believed before it was measured. https://sqlite.org/fileformat.html, sections 1 and 4.
import { fstatSync, readSync } from 'node:fs'

/** What a ledger is made with. */
const USUAL_PAGE_BYTES = 4096
const LOG_HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
/** 0x377f0683 where the checksums are of big-endian words, else 0x377f0682. */
const LOG_MAGIC = 0x377f0682

export interface Pages {
  readonly pageBytes: number
  /** Pages are numbered from 1. */
  readonly count: number
  /** A copy of its bytes; null: there is none of this number. One that the file ends in the middle of is filled up with zeros. */
  page(number: number): Buffer | null
  /** How many of its bytes stand in the file; the others of `page` are nobody's. */
  standing(number: number): number
}

/** `log` null: there is none. Both stay open, and are read whenever a page is asked for. */
export function openPages(file: number, log: number | null): Pages {
  const header = bytesAt(file, 0, 100)
  const fromLog = log === null ? null : committed(log)
  const pageBytes = fromLog?.pageBytes ?? pageBytesIn(header)
  const inFile = Math.ceil(fstatSync(file).size / pageBytes)
  const count = Math.max(inFile, fromLog?.pages ?? 0)
  const found = (number: number): Buffer | null => {
    if (!Number.isInteger(number) || number < 1 || number > count) return null
    const at = fromLog?.frames.get(number)
    return log !== null && at !== undefined
      ? bytesAt(log, at, pageBytes)
      : bytesAt(file, (number - 1) * pageBytes, pageBytes)
  }
  return {
    pageBytes,
    count,
    page(number) {
      const page = found(number)
      return page === null || page.length === pageBytes ? page : Buffer.concat([page], pageBytes)
    },
    standing: (number) => found(number)?.length ?? 0,
  }
}

function pageBytesIn(header: Buffer): number {
  const written = header.length < 18 ? 0 : header.readUInt16BE(16)
  const bytes = written === 1 ? 65_536 : written
  return isPageSize(bytes) ? bytes : USUAL_PAGE_BYTES
}

function isPageSize(bytes: number): boolean {
  return bytes >= 512 && bytes <= 65_536 && (bytes & (bytes - 1)) === 0
}

interface Log {
  readonly pageBytes: number
  /** Of the file as of the last commit. */
  readonly pages: number
  /** Where the last committed version of each page stands in the log. */
  readonly frames: ReadonlyMap<number, number>
}

/** What was committed in a log: as SQLite reads it, up to the first frame whose checksum is wrong. Null: nothing. */
function committed(log: number): Log | null {
  const header = bytesAt(log, 0, LOG_HEADER_BYTES)
  if (header.length < LOG_HEADER_BYTES) return null
  const magic = header.readUInt32BE(0)
  const pageBytes = header.readUInt32BE(8)
  if ((magic & ~1) !== LOG_MAGIC || !isPageSize(pageBytes)) return null
  const isBig = (magic & 1) === 1
  let sums = summed([0, 0], header.subarray(0, 24), isBig)
  if (sums[0] !== header.readUInt32BE(24) || sums[1] !== header.readUInt32BE(28)) return null
  const frames = new Map<number, number>()
  let pending = new Map<number, number>()
  let pages = 0
  for (let at = LOG_HEADER_BYTES; ; at += FRAME_HEADER_BYTES + pageBytes) {
    const frame = bytesAt(log, at, FRAME_HEADER_BYTES + pageBytes)
    if (frame.length < FRAME_HEADER_BYTES + pageBytes) break
    // Salts of another log: what stands there was not written since the last checkpoint.
    if (frame.compare(header, 16, 24, 8, 16) !== 0) break
    sums = summed(summed(sums, frame.subarray(0, 8), isBig), frame.subarray(FRAME_HEADER_BYTES), isBig)
    if (sums[0] !== frame.readUInt32BE(16) || sums[1] !== frame.readUInt32BE(20)) break
    pending.set(frame.readUInt32BE(0), at + FRAME_HEADER_BYTES)
    const ofCommit = frame.readUInt32BE(4)
    if (ofCommit === 0) continue
    pages = ofCommit
    for (const [number, place] of pending) frames.set(number, place)
    pending = new Map()
  }
  return frames.size === 0 ? null : { pageBytes, pages, frames }
}

type Sums = readonly [number, number]

function summed([first, second]: Sums, bytes: Buffer, isBig: boolean): Sums {
  let [a, b] = [first, second]
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    a = (a + (isBig ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + b) >>> 0
    b = (b + (isBig ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + a) >>> 0
  }
  return [a, b]
}

/** Fewer where the file ends before. */
function bytesAt(file: number, position: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  let filled = 0
  while (filled < bytes) {
    const read = readSync(file, buffer, filled, bytes - filled, position + filled)
    if (read === 0) break
    filled += read
  }
  return buffer.subarray(0, filled)
}
