import { expect, test } from 'vitest'
import { parseNetrc } from '../../src/setup/netrc.ts'

test('a .netrc gives the first password that fits host and login', () => {
  const netrc = parseNetrc(`# mine
machine pop.example.net login alice password one
machine POP.example.org
  login bob
  password "two \\"words\\""
macdef init
machine pop.example.com login x password macro

machine pop.example.com password any
default login anna password last`)
  expect(netrc.password('pop.example.net', 'alice')).toBe('one')
  expect(netrc.password('pop.example.net', 'other')).toBeNull()
  expect(netrc.password('pop.example.org', 'bob')).toBe('two "words"')
  expect(netrc.password('pop.example.com', 'x')).toBe('any')
  expect(netrc.password('elsewhere', 'anna')).toBe('last')
  expect(netrc.login('POP.example.net')).toBe('alice')
})
