// Messages of the ledger in words: a line each for `state list`, all that is known for `state explain`. Pure.
import type { DeliveryRecord, MessageRecord } from '../../../ledger/records.ts'
import { cutOffOn, recipientOf } from '../../../poll/account/forecast.ts'
import { display, localStamp, localTime } from '../../../display.ts'
import { faceText } from '../../../status/words/face.ts'
import { nameOf } from '../../open/read-ledger.ts'
import { counted, size } from '../../../status/words/amounts.ts'

/** Enough to compare two by eye; --json has all digits. */
const FINGERPRINT_DIGITS = 16

const TO_THE_MINUTE = 16

/** As much as the ledger keeps of a field. */
const FACE_LENGTH = 200

/** The state as people name it: what is not delivered yet is waiting, or refused where a destination refused it. */
export function stateOf({ state, deliveries }: MessageRecord): string {
  if (state !== 'open') return state
  return deliveries.some((delivery) => delivery.state === 'refused') ? 'refused' : 'waiting'
}

/** One line of a list. The list is printed while it is read, so columns of unknown width come last. */
export function listLine(message: MessageRecord): string {
  const bytes = message.receivedBytes ?? message.listedBytes
  const cells = [
    stateOf(message).padEnd(9),
    localTime(message.firstSeenMs).slice(0, TO_THE_MINUTE),
    (bytes === null ? '-' : size(bytes)).padStart(8),
    nameOf(message),
  ]
  const face = faceText(message)
  if (face !== '') cells.push(face)
  const reason = message.reason ?? cutOffOn(message.deliveries)
  return `${cells.join('  ')}${reason === null ? '' : `  ${reason}`}`
}

export function storyLines(account: string, message: MessageRecord, next: string): string[] {
  const { deliveries } = message
  const parts: readonly (readonly [string, string | null])[] = [
    ['from', message.from === null ? null : display(message.from, FACE_LENGTH)],
    ['subject', message.subject === null ? null : display(message.subject, FACE_LENGTH)],
    ['date', message.dateMs === null ? null : localStamp(message.dateMs)],
    ['first seen', localStamp(message.firstSeenMs)],
    ['size', sizeText(message)],
    ['Message-ID', message.messageId],
    ['header', message.fingerprint?.toString('hex').slice(0, FINGERPRINT_DIGITS) ?? null],
    ['begun', message.attempts === 0 ? null : `${counted(message.attempts, 'time')} without being finished`],
    ['reason', message.reason],
    ['delivered', deliveredText(message)],
    ['deletion', deletionText(message)],
    ['gone since', message.goneSinceMs === null ? null : localStamp(message.goneSinceMs)],
    ['next', next],
  ]
  const story = parts.flatMap(([name, text]) => (text === null ? [] : [`  ${name.padEnd(10)}  ${text}`]))
  const last = story.splice(-1)
  return [
    `${account}: ${nameOf(message)}: ${stateOf(message)}`,
    ...story,
    ...deliveries.flatMap(deliveryLines),
    ...last,
  ]
}

function deliveredText({ state, deliveredMs, deliveries }: MessageRecord): string | null {
  if (deliveredMs !== null) return localStamp(deliveredMs)
  return state === 'delivered' && deliveries.length === 0 ? 'by another program, before popfetch (import)' : null
}

function sizeText({ listedBytes, receivedBytes }: MessageRecord): string | null {
  const parts = [
    ...(listedBytes === null ? [] : [`${listedBytes} bytes announced`]),
    ...(receivedBytes === null ? [] : [`${receivedBytes} bytes received`]),
  ]
  return parts.length === 0 ? null : parts.join(', ')
}

function deletionText({ deletions, deletedMs, deletion }: MessageRecord): string | null {
  const asked = `asked for ${counted(deletions, 'time')}${deletedMs === null ? '' : `, last ${localStamp(deletedMs)}`}`
  if (deletion === null) return deletions === 0 ? null : asked
  const pending = `wanted since ${localStamp(deletion.wantedSinceMs)}, has not happened: ${deletion.reason}`
  return deletions === 0 ? pending : `${asked}; ${pending}`
}

const STATES: Readonly<Record<DeliveryRecord['state'], string>> = {
  pending: 'not tried yet',
  started: 'begun, outcome not recorded',
  done: 'done',
  refused: 'refused',
  unknown: 'possibly delivered, the answer was lost',
  failed: 'failed for the time being',
}

function deliveryLines(delivery: DeliveryRecord): string[] {
  const { destination, recipient, state, attempts, unknowns, intent, settledMs, receipt, error, dueAfterMs } = delivery
  const { machine } = delivery
  const facts = [
    STATES[state],
    ...(machine === null ? [] : [`on ${display(machine)}`]),
    ...(attempts === 0 ? [] : [counted(attempts, 'attempt')]),
    ...(unknowns === 0 ? [] : [`${counted(unknowns, 'answer')} lost`]),
    ...(settledMs === null ? [] : [`last ${localStamp(settledMs)}`]),
    ...(dueAfterMs === 0 ? [] : [`not again before ${localStamp(dueAfterMs)}`]),
    ...(intent === '' ? [] : [`intent ${intent}`]),
  ]
  const said = receipt ?? error
  return [
    `  delivery    to ${recipientOf(destination, recipient)}: ${facts.join(', ')}`,
    ...(said === null ? [] : [`              ${receipt === null ? 'error' : 'receipt'}: ${said}`]),
  ]
}
