import { describe, expect, test } from 'vitest'
import { expectRefusal, understood } from '../../understood.ts'

describe('the words of state', () => {
  test.each([
    ['state list work', { command: 'state', operation: 'list', account: 'work', selection: 'all' }],
    ['state list work --held', { operation: 'list', selection: 'held' }],
    ['state explain work 0042', { operation: 'explain', account: 'work', uidl: '0042', copy: null }],
    ['state explain work a --copy 0', { operation: 'explain', uidl: 'a', copy: 0 }],
    ['state explain work -- --odd', { operation: 'explain', uidl: '--odd' }],
    ['state retry', { operation: 'retry', accounts: [], only: [] }],
    ['state retry work home work', { accounts: ['work', 'home'], only: [] }],
    ['state retry work --held --refused', { accounts: ['work'], only: ['refused', 'held'] }],
    ['state forget work a "b" a --yes', { operation: 'forget', uidls: ['a', '"b"'], yes: true, copy: null }],
    ['state forget work --all-messages', { operation: 'forget', account: 'work', uidls: [], yes: false }],
    ['state rename old new', { operation: 'rename', from: 'old', to: 'new', isDestination: false }],
    ['state rename --destination old new', { operation: 'rename', from: 'old', to: 'new', isDestination: true }],
    ['state export', { operation: 'export', account: null }],
    ['state export work', { operation: 'export', account: 'work' }],
    ['state backup 1e3', { operation: 'backup', file: '1e3' }],
    ['state restore 1e3', { operation: 'restore', file: '1e3' }],
  ])('are understood: %s', async (line, expected) => {
    expect(await understood(line.split(' '))).toMatchObject(expected)
  })

  test.each([
    ['state', 'state needs one of list, find, explain, retry, forget, rename, export, backup, restore'],
    ['state lst', 'state OPERATION must be one of list'],
    ['state list', 'expected popfetch state list ACCOUNT'],
    ['state list a b', 'expected popfetch state list ACCOUNT'],
    ['state list a --held --seen', '--held and --seen cannot be combined'],
    ['state list a --yes', '--yes is not an option of state list'],
    ['state list a --limit 3', '--limit is not an option of this command'],
    ['state explain a', 'expected popfetch state explain ACCOUNT UIDL'],
    ['state explain a b --copy -1', '--copy must be a whole number'],
    ['state explain a b --copy x', '--copy must be a whole number'],
    ['state retry a --open', '--open is not an option of state retry'],
    ['state forget a', 'expected popfetch state forget ACCOUNT UIDL...'],
    ['state forget a b --all-messages', 'expected popfetch state forget'],
    ['state forget a --all-messages --copy 1', 'cannot be combined'],
    ['state rename a', 'expected popfetch state rename OLD NEW'],
    ['state export a b', 'expected popfetch state export [ACCOUNT]'],
    ['state backup', 'expected popfetch state backup FILE'],
    ['state restore a b', 'expected popfetch state restore FILE'],
    ['state backup f --all-messages', '--all-messages is not an option of state backup'],
  ])('are refused: %s', async (line, text) => {
    await expectRefusal(line.split(' '), text)
  })
})
