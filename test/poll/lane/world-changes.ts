// What may happen to a mailbox or its configuration between two polls, without anything going wrong.
import { numbered, put } from './letters.ts'
import { type Maker, step } from './world-faults.ts'

export const CHANGES: readonly Maker[] = [
  ({ length }, die) => {
    const more = numbered(1 + die.below(40), length, die)
    return step(`${more.length} more come`, 'all', ({ scene }) => put(scene, more))
  },
  ({ length }, die) => {
    const at = die.below(length)
    return step(`somebody else removes uid-${at}`, 'all', ({ scene }) => {
      const mailbox = scene.server.mailbox('alice')
      mailbox.remove(new Set(mailbox.messages.filter(({ uidl }) => uidl === `uid-${at}`)))
    })
  },
  (_, die) => {
    const maxSize = die.one(['1KB', '2KB', '1MB'])
    return step(`maxSize: ${maxSize}`, 'all', ({ scene }) => {
      scene.account = [...scene.account.filter((line) => !line.startsWith('maxSize')), `maxSize: ${maxSize}`]
    })
  },
  (_, die) => {
    const wanted = die.one(['after-delivery', 'never', '2d'])
    return step(`delete: ${wanted}`, 'all', ({ scene }) => {
      scene.account = [...scene.account.filter((line) => !line.startsWith('delete')), `delete: ${wanted}`]
    })
  },
  () =>
    step('another destination', 'all', ({ scene }) => {
      scene.destinations = ['inbox: { type: maildir, path: inbox }', 'other: { type: maildir, path: other }']
      scene.deliver = '[inbox, other]'
    }),
  () =>
    step('the lines of the listing end otherwise', 'all', ({ scene }) => void (scene.server.faults.lineEnding = '\n')),
  () =>
    step('the case of the UIDLs changes', 'all', ({ scene }) => {
      scene.server.faults.uidlLine = (number, { uidl }) => `${number} ${uidl.toUpperCase()}`
    }),
  () =>
    step(
      'the listing is in another order',
      'all',
      ({ scene }) => void scene.server.mailbox('alice').messages.sort((a, b) => (a.uidl > b.uidl ? -1 : 1)),
    ),
  () => step('STAT says something else', 'all', ({ scene }) => void scene.server.faults.reply.set('STAT', '+OK 1 1')),
]
