import { expect, test } from 'vitest'
import { concludeSecret, NO_SIGN_IN } from '../../../src/deliver/answers/secret.ts'
import { type ErrorCode, PopfetchError, type Retry } from '../../../src/errors.ts'

test.each<readonly [ErrorCode, Retry, string, number]>([
  ['ERR_AUTH', 'never', 'SIGN', 77],
  ['ERR_PROVIDER', 'later', 'SIGN', 76],
  ['ERR_TLS', 'later', 'SIGN', 76],
  ['ERR_CONNECT', 'soon', 'DOWN', 75],
  ['ERR_TIMEOUT', 'soon', 'DOWN', 75],
  ['ERR_SECRET', 'never', 'SIGN', 78],
  ['ERR_SECRET', 'soon', 'SIGN', 75],
  ['ERR_CONFIG', 'never', 'SIGN', 78],
])('a secret that fails with %s, %s, means %s and ends with %i', (code, retry, conclusion, exit) => {
  const error = new PopfetchError(code, 'no', { scope: 'account', retry, pauseMs: 7000 })
  const same = code === 'ERR_AUTH' ? NO_SIGN_IN : 'AUTH secret'
  const facts = { conclusion, exit, same, pauseMs: 7000, verdict: 'temporary' }
  expect(concludeSecret(error, 'AUTH secret')).toMatchObject(facts)
})
