// Deployments and their operations as clients see them.

import type { DeclaredResource } from '../../templates/declared.ts'
import type { Prepared } from '../../templates/prepared.ts'
import type { DeploymentRecord, DeploymentStep, Json } from '../../records.ts'
import { templateHash } from './deployment-facts.ts'

export const deploymentType = 'Microsoft.Resources/deployments'

/** What a body tells of the template, the same before and after. */
export function shownOf(prepared: Prepared): Json {
  return {
    templateHash: templateHash(prepared.template.whole),
    parameters: prepared.parameters,
    providers: providersOf(prepared),
    dependencies: [...prepared.dependencies]
      .filter(([, after]) => after.length > 0)
      .map(([one, after]) => ({ ...dependency(one), dependsOn: after.map(dependency) })),
  }
}

function dependency({ id, type, name }: DeclaredResource): Json {
  return { id, resourceType: type, resourceName: name }
}

function providersOf({ resources }: Prepared): readonly Json[] {
  const types = new Map<string, Set<string>>()
  for (const { type, skipped } of resources) {
    if (skipped) continue
    const [namespace, ...rest] = type.split('/')
    const known = types.get(namespace!) ?? new Set()
    types.set(namespace!, known.add(rest.join('/')))
  }
  return [...types].map(([namespace, known]) => ({
    namespace,
    resourceTypes: [...known].map((resourceType) => ({ resourceType, locations: [null] })),
  }))
}

export function deploymentBody(record: DeploymentRecord, nowMs: number): Json {
  const { id, name, location, tags, mode, shown, templateLink, outputs, outputResources, progress } = record
  const { error, provisioningState } = progress
  return {
    id,
    name,
    type: deploymentType,
    ...(location === undefined ? {} : { location }),
    ...(tags === undefined ? {} : { tags }),
    properties: {
      ...shown,
      mode,
      ...(templateLink === undefined ? {} : { templateLink }),
      provisioningState,
      timestamp: new Date(record.endedMs ?? record.startedMs).toISOString(),
      duration: duration((record.endedMs ?? nowMs) - record.startedMs),
      correlationId: record.correlationId,
      ...(outputs === undefined ? {} : { outputs }),
      ...(outputResources === undefined ? {} : { outputResources }),
      ...(error === undefined ? {} : { error }),
    },
  }
}

/** ISO 8601: `PT12.345S`. */
export function duration(ms: number): string {
  return `PT${(Math.max(0, ms) / 1_000).toFixed(3)}S`
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  400: 'BadRequest',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
}

export function operationBody({ id: deploymentId }: DeploymentRecord, step: DeploymentStep, nowMs: number): Json {
  const { resourceId, resourceName, resourceType, symbol, startTime, endTime, status, error } = step
  return {
    id: `${deploymentId}/operations/${step.id}`,
    operationId: step.id,
    properties: {
      provisioningOperation: step.kind,
      provisioningState: step.state,
      timestamp: endTime ?? startTime,
      duration: duration((endTime === undefined ? nowMs : Date.parse(endTime)) - Date.parse(startTime)),
      serviceRequestId: step.id,
      ...(status === undefined ? {} : { statusCode: reasons[status] ?? String(status) }),
      ...(error === undefined ? {} : { statusMessage: { status: 'Failed', error } }),
      targetResource: {
        id: resourceId,
        resourceType,
        resourceName,
        ...(symbol === undefined ? {} : { symbolicName: symbol }),
      },
    },
  }
}
