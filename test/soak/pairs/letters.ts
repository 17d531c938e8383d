// The mail of the soak, and how it is recognised wherever it turns up: by the number in its subject.
import type { Chance } from './chance.ts'

export type Shape = 'plain' | 'dots' | 'long header' | 'large' | 'no Date' | 'eight bits'

export const SHAPES: readonly Shape[] = [
  'plain',
  'plain',
  'plain',
  'plain',
  'dots',
  'long header',
  'large',
  'no Date',
  'eight bits',
]

export function shapeOf(chance: Chance): Shape {
  const shape = chance.pick(SHAPES)
  // They take their time.
  return (shape === 'large' || shape === 'long header') && chance.next() < 0.7 ? 'plain' : shape
}

export function letter(number: number, shape: Shape): Buffer {
  const head = [
    'Return-Path: <ada@example.org>',
    'From: Ada <ada@example.org>',
    `Subject: letter ${number}`,
    `Message-ID: <${number}@example.org>`,
  ]
  if (shape !== 'no Date') head.push('Date: Sun, 24 Nov 2019 10:00:00 +0000')
  if (shape === 'long header')
    for (let at = 0; at < 1500; at++) head.push(`X-Copy-${at}: somebody-${at}@a-domain-that-is-long.example.org, `)
  const body = ['text '.repeat(12)]
  if (shape === 'dots') body.push('.', '..', '.a line that begins with a dot')
  if (shape === 'eight bits') body.push('Gr\u00fc\u00dfe')
  if (shape === 'large')
    for (let at = 0; at < 18_000; at++) body.push(`line ${at} of a large message, as long as most lines are.`)
  return Buffer.from([...head, '', ...body, `the end of ${number}`, ''].join('\r\n'), 'latin1')
}

/** -1: it is not one of ours. */
export function subjectOf(bytes: Buffer | string): number {
  const text = typeof bytes === 'string' ? bytes : bytes.toString('latin1', 0, 200_000)
  return Number(/^Subject: letter (\d+)\r?$/m.exec(text)?.[1] ?? -1)
}

/** Is it there to its last line? */
export function isWhole(bytes: Buffer | string, number: number): boolean {
  const text = typeof bytes === 'string' ? bytes : bytes.toString('latin1')
  return text.trimEnd().endsWith(`the end of ${number}`)
}
