// Moments on the page: how long ago, or until then, with the exact time beside it. Pure.
import { iso, span, stamp } from '../../../status/words/moment.ts'
import { html, type Html } from './html.ts'

export function agoOrNever(ms: number | null, nowMs: number): Html {
  return ms === null ? html`<span class="none">never</span>` : ago(ms, nowMs)
}

export function ago(ms: number, nowMs: number): Html {
  return when(ms, `${span(nowMs - ms)} ago`)
}

export function when(ms: number, text: string): Html {
  return html`<time datetime="${iso(ms) ?? ''}" title="${stamp(ms)}">${text}</time>`
}
