// Several machines on one database, with one mail server; each test has a schema and a mailbox of its own.
import { beforeAll, beforeEach, onTestFinished } from 'vitest'
import { Pop3Server } from '../../support/pop3-server.ts'
import { PostgresServer } from '../../support/postgres-server.ts'
import { Machine } from './machine.ts'

export interface SeveralMachines {
  readonly pop3: Pop3Server
  /** Of the test that runs. */
  readonly user: string
  /** One with this name, whose only account is called home. `keys`: of that account; `top`: of the configuration. */
  machine(name: string, keys?: object, top?: object): Promise<Machine>
}

/** Call once a file. */
export function severalMachines(): SeveralMachines {
  let database: PostgresServer
  let pop3: Pop3Server
  let count = 0
  const user = (): string => `user${count}`
  beforeAll(async () => {
    database = await PostgresServer.start()
    pop3 = await Pop3Server.start()
    return async () => {
      await pop3[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    }
  })
  beforeEach(() => {
    count++
    pop3.faults.onCommand = null
    pop3.mailbox(user(), 'secret')
  })
  return {
    get pop3() {
      return pop3
    },
    get user() {
      return user()
    },
    async machine(name, keys = {}, top = {}) {
      const mailbox = { host: pop3.host, port: pop3.port, tls: 'none', user: user(), password: 'secret', poll: '1h' }
      const made = await Machine.start({
        state: { postgres: database.url(), schema: `s${count}` },
        daemon: { machine: name },
        accounts: { home: { ...mailbox, ...keys } },
        ...top,
      })
      onTestFinished(() => made[Symbol.asyncDispose]())
      return made
    },
  }
}
