// A destination that an embedding program wrote keeps the contract of ours: with and without a memory of its attempts.
import { destinationContract } from '../contract.ts'
import { type DiskView, onDisk } from '../disk-place.ts'
import type { Kind } from '../place.ts'
import { openFolder } from './folder.ts'

const view: DiskView = {
  prepare: () => {},
  messages: (tree) => [...tree].filter(([file]) => !file.endsWith('.part')).map(([, bytes]) => bytes),
  leftovers: (tree) => [...tree.keys()].filter((file) => file.endsWith('.part')),
}

destinationContract({ ...onDisk('own', view), name: 'a destination of one’s own' })

const forgetful = onDisk('own', view, ({ root, fileSystems, limitMs }) =>
  openFolder({ root, fileSystem: fileSystems.offLoop, limitMs, recalls: false }),
)
const withoutKill: Kind = {
  ...forgetful,
  name: 'a destination of one’s own that forgets',
  place: async (options) => Object.assign(await forgetful.place(options), { killAt: null }),
}

destinationContract(withoutKill)
