// What is in an answer of Gmail's: an id, labels, or why not. Pure. One rule: foreign JSON is read only by known keys of
// the expected type, and what is shown of it is escaped and cut.
import { display } from '../../display.ts'
import type { Reply } from './exchange.ts'

type Json = Readonly<Record<string, unknown>>

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(json: unknown, key: string): string {
  const value = isJson(json) && Object.hasOwn(json, key) ? json[key] : null
  return typeof value === 'string' ? value : ''
}

function list(json: unknown, key: string): readonly unknown[] {
  const value = isJson(json) && Object.hasOwn(json, key) ? json[key] : null
  return Array.isArray(value) ? value : []
}

/** An id of a message, a thread or a label. */
const ID = /^[A-Za-z0-9_-]{1,200}$/

export interface Stored {
  readonly id: string
  readonly threadId: string
}

/** Null: the answer does not say that a message was stored. */
export function storedOf({ status, json }: Reply): Stored | null {
  const id = text(json, 'id')
  if (status !== 200 || !ID.test(id)) return null
  const threadId = text(json, 'threadId')
  return { id, threadId: ID.test(threadId) ? threadId : '' }
}

export interface Label {
  readonly id: string
  readonly name: string
}

export function labelOf(json: unknown): Label | null {
  const [id, name] = [text(json, 'id'), text(json, 'name')]
  return ID.test(id) && name !== '' ? { id, name } : null
}

/** Null: this is no list of labels. */
export function labelsOf({ status, json }: Reply): readonly Label[] | null {
  if (status !== 200 || !isJson(json)) return null
  return list(json, 'labels').flatMap((one) => labelOf(one) ?? [])
}

export interface Refusal {
  readonly reasons: readonly string[]
  /** In Google's words, safe to print. */
  readonly words: string
  /** A page that says what to do; '': none. */
  readonly link: string
  readonly pauseMs: number
}

const MOST_DETAILS = 20
const LONGEST_WORDS = 400

export function refusalOf({ json, headers, begins }: Reply, nowMs: number): Refusal {
  const error = isJson(json) && isJson(json['error']) ? json['error'] : null
  const errors = list(error, 'errors').slice(0, MOST_DETAILS)
  const details = list(error, 'details').slice(0, MOST_DETAILS)
  const said = [...errors, ...details].map((one) => text(one, 'reason'))
  const reasons = [...said, text(error, 'status')].filter((reason) => /^[A-Za-z_]{1,100}$/.test(reason))
  const message = text(error, 'message')
  const links = details.flatMap((one) => list(one, 'links').map((link) => text(link, 'url')))
  const link = [...links, ...(message.match(/https:\/\/[^\s"'<>]{1,300}/g)?.slice(0, 1) ?? [])].find((url) =>
    isGoogles(url),
  )
  return {
    reasons,
    words: message === '' ? begins : display(message, LONGEST_WORDS),
    link: link === undefined ? '' : display(link, LONGEST_WORDS),
    pauseMs: pauseOf(headers['retry-after'], message, nowMs),
  }
}

/** Only Google's own pages are worth a click. */
function isGoogles(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname } = new URL(url)
  return protocol === 'https:' && /(?:^|\.)google\.com$/.test(hostname)
}

/** RFC 9110 5.6.7. What else Date.parse() takes for a date, is none. */
const HTTP_DATE = /^[A-Z][a-z]{2,8}, \d\d[ -][A-Z][a-z]{2}[ -]\d{2,4} \d\d:\d\d:\d\d GMT$/

/** "Retry after 2026-11-29T08:00:00.000Z" is what Gmail writes into its text. */
function pauseOf(header: string | undefined, message: string, nowMs: number): number {
  const seconds = /^\d{1,10}$/.test(header ?? '') ? Number(header) : Number.NaN
  if (seconds > 0) return seconds * 1000
  const date =
    /retry after (\d{4}-\d\d-\d\dT[\d:.]{5,15}Z)/i.exec(message.slice(0, 1000))?.[1] ??
    HTTP_DATE.exec(header ?? '')?.[0]
  const untilMs = date === undefined ? Number.NaN : Date.parse(date)
  return Number.isNaN(untilMs) ? 0 : Math.max(0, untilMs - nowMs)
}
