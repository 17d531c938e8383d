// A person who answers by what is asked.
import { expect } from 'vitest'
import { type Dialogue, questionText } from '../../../../src/cli/terminal/dialogue.ts'

/** Answers each question by the first key that is part of it; what no key is part of is answered with Enter. Several answers to a
 *  key are given in turn, the last one forever. */
export function answering(known: Readonly<Record<string, string | readonly string[]>>) {
  const asked: string[] = []
  const turns = new Map(Object.entries(known).map(([part, answer]) => [part, [answer].flat()]))
  const next = (question: string): Promise<string> => {
    asked.push(question)
    // Without the usual answer it leaves room on a line of 80 columns.
    expect(question.replace(/ \[.*$/, '').replaceAll(/\/\S+/g, '…').length, question).toBeLessThanOrEqual(62)
    const left = [...turns].find(([part]) => question.includes(part))?.[1] ?? ['']
    return Promise.resolve((left.length > 1 ? left.shift() : left[0]) ?? '')
  }
  return { asked, dialogue: { ask: (question) => next(questionText(question)), askSecret: next } satisfies Dialogue }
}
