// What a person knows a message by, in a few words: who wrote it, and its subject. Pure.
import { display } from '../../display.ts'

export interface Face {
  readonly from?: string | null
  readonly subject?: string | null
}

const FROM_LENGTH = 60
const SUBJECT_LENGTH = 80

/** `Ada <ada@example.org>, "Invoice 7"`; empty: nothing is recorded for it. Safe to print. */
export function faceText({ from = null, subject = null }: Face): string {
  const parts = [
    from === null ? '' : display(from, FROM_LENGTH),
    subject === null ? '' : `"${display(subject, SUBJECT_LENGTH)}"`,
  ]
  return parts.filter((part) => part !== '').join(', ')
}
