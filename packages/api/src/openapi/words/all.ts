// All descriptions of types and fields in one table. Imported on demand: only OpenAPI documents need them.

import access from './access.json' with { type: 'json' }
import admission from './admission.json' with { type: 'json' }
import apps from './apps.json' with { type: 'json' }
import autoscaling from './autoscaling.json' with { type: 'json' }
import batch from './batch.json' with { type: 'json' }
import cluster from './cluster.json' with { type: 'json' }
import coreConfig from './core-config.json' with { type: 'json' }
import coreContainer from './core-container.json' with { type: 'json' }
import coreNode from './core-node.json' with { type: 'json' }
import corePlacement from './core-placement.json' with { type: 'json' }
import corePod from './core-pod.json' with { type: 'json' }
import coreService from './core-service.json' with { type: 'json' }
import coreVolume from './core-volume.json' with { type: 'json' }
import extension from './extension.json' with { type: 'json' }
import meta from './meta.json' with { type: 'json' }
import networking from './networking.json' with { type: 'json' }
import resource from './resource.json' with { type: 'json' }
import storage from './storage.json' with { type: 'json' }

/** By `group.Type` (the first word of the Go package's path), then by field; the type's own sentence stands under ''. */
export const words: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ...meta,
  ...corePod,
  ...coreContainer,
  ...coreVolume,
  ...corePlacement,
  ...coreService,
  ...coreConfig,
  ...coreNode,
  ...apps,
  ...batch,
  ...autoscaling,
  ...networking,
  ...storage,
  ...resource,
  ...access,
  ...admission,
  ...extension,
  ...cluster,
}
