// What a failed delivery says of the message and of the destination, in the words of deliver/answers/.
import { type Conclusion, DeliveryError, exitOf, type PopfetchError } from '../../errors.ts'

export interface Answer {
  readonly conclusion: Conclusion
  /** It may have been taken. */
  readonly isUnknown: boolean
  /** Two answers with the same key are equal. */
  readonly same: string
  /** At which step it was given, as the kind calls it; '': it has no steps. */
  readonly step: string
  /** The pause that it names; 0: none. */
  readonly pauseMs: number
  /** Does it count in a row? */
  readonly counts: boolean
  /** It speaks of us, though it refuses a message. */
  readonly aboutUs: boolean
  readonly spam: boolean
  /** It speaks of a folder there. */
  readonly ofFolder: boolean
  readonly exit: number
  readonly code: string
  readonly text: string
}

/** Conclusions that speak of the destination, or of a recipient. */
const OF_DESTINATION: ReadonlySet<Conclusion> = new Set(['DOWN', 'TLS', 'SIGN', 'BUSY', 'RCPT', 'ROOM', 'ACT'])

export function answerOf(error: PopfetchError): Answer {
  const { pauseMs, code, message: text } = error
  const exit = exitOf(error)
  if (!(error instanceof DeliveryError)) {
    // A failure on our side says nothing about the destination, unless it could not even be asked.
    const conclusion = error.scope === 'destination' ? 'ACT' : 'TEMP'
    return { ...NOTHING, conclusion, same: code, pauseMs, exit, code, text }
  }
  const { conclusion, verdict, answer, counts, aboutUs, spam, ofFolder, scope } = error
  const facts = {
    isUnknown: verdict === 'unknown',
    ...answer,
    pauseMs,
    counts,
    aboutUs,
    spam,
    ofFolder,
    exit,
    code,
    text,
  }
  // A destination behind the first of several: the others go on, and only this message waits.
  if (scope === 'message' && OF_DESTINATION.has(conclusion)) return { ...facts, conclusion: 'TEMP', counts: false }
  return { ...facts, conclusion: verdict === 'held' ? 'HELD' : conclusion }
}

const NOTHING = {
  isUnknown: false,
  step: '',
  counts: false,
  aboutUs: false,
  spam: false,
  ofFolder: false,
} as const
