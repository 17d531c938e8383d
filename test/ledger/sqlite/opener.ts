// For processes that the suite of the contract starts: opens the ledger of a place by its name.
export { openLedger as open } from '../../../src/ledger/sqlite/open.ts'
