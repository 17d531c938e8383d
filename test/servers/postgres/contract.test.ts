// PostgreSQL keeps the ledger's contract, as a file does.
import { contract } from '../../ledger/contract.ts'
import { postgres } from '../../ledger/postgres/kind.ts'

contract(postgres())
