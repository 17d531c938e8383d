// What the end of a delivery program means for the mail (D090; the codes of sysexits.h, and those of a shell): the table.
import { concluded, type Concluded } from './conclusions.ts'

/** The program says that it will not take this message. */
const REFUSES = new Set([65, 67, 68, 69, 76, 77])
/** Every other message would fare the same until somebody mends something. */
const BROKEN = new Set([64, 66, 71, 72, 73, 74, 78, 126, 127])

export interface ProgramEnd {
  /** Null: a signal ended it, or the program is not there. */
  readonly code: number | null
  readonly signal: string | null
  /** We ended it: it ran too long, or we are to stop. */
  readonly ended: boolean
  /** It could not be started. */
  readonly missing: boolean
}

/** Null: the message was taken. */
export function concludeProgram({ code, signal, ended, missing }: ProgramEnd): Concluded | null {
  if (missing) return concluded('ACT', 'no program')
  // Ended in the midst of its work, it may have delivered. One that nobody saw end is as good as ended. A shell exits with
  // 128 + n when signal n ended the program that it ran; there are 64 signals.
  if (ended || signal !== null || code === null || (code > 128 && code <= 192)) return concluded('LOST', 'ended')
  if (code === 0) return null
  const same = `exit ${code}`
  if (REFUSES.has(code)) return concluded('BAD', same, { same })
  if (BROKEN.has(code)) return concluded('ACT', same, { same })
  return concluded('TEMP', same, { same })
}
