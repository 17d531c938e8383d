// A Maildir keeps the contract of destinations.
import fs from 'node:fs'
import path from 'node:path'
import { destinationContract } from '../contract.ts'
import { onDisk } from '../disk-place.ts'
import { asCrlf } from '../scene.ts'

destinationContract(
  onDisk('maildir', {
    prepare(root) {
      for (const folder of ['tmp', 'new', 'cur']) fs.mkdirSync(path.join(root, folder), { mode: 0o700 })
    },
    messages: (tree) => [...tree].filter(([file]) => /^(new|cur)\//.test(file)).map(([, bytes]) => asCrlf(bytes)),
    leftovers: (tree) => [...tree.keys()].filter((file) => !/^(new|cur)\//.test(file)),
  }),
)
