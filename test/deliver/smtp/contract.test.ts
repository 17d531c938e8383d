// An SMTP server as a destination keeps the contract of destinations.
import { destinationContract } from '../contract.ts'
import { nextHop } from './smtp-place.ts'

destinationContract(nextHop('smtp'))
