// What is in a configuration for the time after a trial, and how it takes its place.
import { expect, test } from 'vitest'
import { endTrial, trialMarks, TRIAL_WRITTEN } from '../../src/setup/trial.ts'

const account = (name: string, deliver = 'trial', policy = 'never'): string =>
  `  ${name}:\n    host: h\n    deliver: ${deliver}\n    delete: ${policy}\n    # after the trial: deliver: ["inbox","agent"]\n    # after the trial: delete: 30d\n`

test('the keys of after the trial are comments that YAML reads once they are none', () => {
  expect(trialMarks({ deliver: 'inbox', delete: 'after-delivery' })).toBe(
    '# after the trial: deliver: inbox\n# after the trial: delete: after-delivery\n',
  )
  expect(trialMarks({ deliver: ['a', 'b'] })).toBe('# after the trial: deliver: ["a","b"]\n')
})

test('the end of a trial puts them into effect, and changes nothing else', () => {
  const text = `# a word of mine: deliver: trial\naccounts:\n${account('a')}    # mine\n\n${account('b')}destinations: {}\n`
  const { text: after, changed, left } = endTrial(text, TRIAL_WRITTEN)
  expect([changed, left]).toEqual([4, []])
  const one = (name: string): string => `  ${name}:\n    host: h\n    deliver: ["inbox","agent"]\n    delete: 30d\n`
  expect(after).toBe(
    `# a word of mine: deliver: trial\naccounts:\n${one('a')}    # mine\n\n${one('b')}destinations: {}\n`,
  )
  expect(endTrial(after, TRIAL_WRITTEN)).toEqual({ text: after, changed: 0, left: [] })
})

test('a key that somebody has changed meanwhile is left alone, and its line is told; that of another account is not taken for it', () => {
  const text = `accounts:\n${account('a')}${account('b', 'inbox')}${account('c', 'trial', '30d')}`
  expect(endTrial(text, TRIAL_WRITTEN)).toMatchObject({ changed: 4, left: [12, 19] })
})
