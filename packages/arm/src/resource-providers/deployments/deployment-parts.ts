// What the routes of deployments are handed.

import type { Dispatcher } from '../../front-door/dispatcher.ts'
import type { Hub } from '../../hub.ts'
import type { DeploymentRunner } from './deployment-runner.ts'

export interface DeploymentParts {
  readonly hub: Hub
  readonly dispatcher: Dispatcher
  readonly runner: DeploymentRunner
}
