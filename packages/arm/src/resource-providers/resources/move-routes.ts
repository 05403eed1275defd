// Moves between groups: refused, and said so before anything is touched.

import { ArmError } from '@aksel/base/errors'
import { param, type ArmRequest, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { readObject } from '../body.ts'
import { readGroup } from './groups.ts'

/** Networks and clusters name each other by id, and so do machines on the host: nothing here can change its id. */
export function moveRoutes(hub: Hub): readonly Route[] {
  return ['moveResources', 'validateMoveResources'].map((action) => ({
    method: 'POST',
    path: `/subscriptions/:subscription/resourcegroups/:group/${action}`,
    handle: async (request: ArmRequest) => {
      await readGroup(hub.store, {
        subscriptionId: param(request, 'subscription'),
        resourceGroup: param(request, 'group'),
      })
      const { resources } = readObject(request.body)
      const ids = Array.isArray(resources) ? resources.map(String) : []
      const types = [...new Set(ids.map((id) => /\/providers\/([^/]+\/[^/]+)\/[^/]+$/i.exec(id)?.[1] ?? id))]
      throw new ArmError(
        409,
        'ResourceMoveNotSupported',
        `Resource move is not supported for resource types '${types.join(',')}'.`,
      )
    },
  }))
}
