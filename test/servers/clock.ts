// Loaded before a program (`node --import clock.ts popfetch.js`). Its clock is ahead of the true one by as many milliseconds as stand
// in the file that CLOCK_AHEAD names, read again each time. Timers are as ever.
import { readFileSync } from 'node:fs'

const True = globalThis.Date
const file = process.env['CLOCK_AHEAD'] ?? ''
const now = (): number => True.now() + Number(readFileSync(file, 'utf8'))

globalThis.Date = new Proxy(True, {
  construct: (target, words, made) => Reflect.construct(target, words.length === 0 ? [now()] : words, made),
  get: (target, key, receiver) => (key === 'now' ? now : Reflect.get(target, key, receiver)),
})
