// SQLite keeps the ledger's contract. What is its own (the file, its modes, migrations, lock files) is in sqlite/.
import { contract } from './contract.ts'
import { sqlite } from './sqlite/kind.ts'

contract(sqlite)
