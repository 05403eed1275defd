// New objects from YAML: several at once, tried first, refused with the server's own words.

import { useState } from 'react'
import { callJson, clusterCall } from '../data/api.ts'
import { useCluster, type Cluster } from '../data/cluster.tsx'
import { parseManifests, type Manifest } from '../model/manifest.ts'
import { apiPath, type ApiResource } from '../model/resources.ts'
import { CodeEditor } from './code-editor.tsx'
import { DialogFrame } from './dialog-frame.tsx'

export function CreateObject({ resource, onClose }: { readonly resource: ApiResource; readonly onClose: () => void }) {
  const cluster = useCluster()
  const [text, setText] = useState(() => templateOf(resource, ownNamespace(cluster.scope)))
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  const create = async (): Promise<void> => {
    setBusy(true)
    setError('')
    try {
      const manifests = parseManifests(text)
      // All are tried before the first is made: half of a set is worse than none.
      for (const query of ['&dryRun=All', '']) for (const manifest of manifests) await post(cluster, manifest, query)
      onClose()
    } catch (failure) {
      setError((failure as Error).message)
      setBusy(false)
    }
  }
  return (
    <DialogFrame
      title="Create"
      widthPx={820}
      error={error}
      onClose={onClose}
      action={{ title: 'Create', disabled: busy, run: () => void create() }}
    >
      <div style={{ height: 380, display: 'flex', border: '1px solid var(--colorNeutralStroke2)', borderRadius: 4 }}>
        <CodeEditor value={text} readOnly={false} label="YAML of what is created" marks={[]} onChange={setText} />
      </div>
    </DialogFrame>
  )
}

async function post(cluster: Cluster, manifest: Manifest, query: string): Promise<void> {
  const resource = cluster.byKind(manifest.kind, manifest.apiVersion)
  if (resource === undefined) throw new Error(`This cluster serves no ${manifest.kind} of ${manifest.apiVersion}.`)
  const version = manifest.apiVersion.split('/').at(-1)!
  const path = apiPath({ ...resource, version }, { namespace: manifest.metadata.namespace ?? 'default' })
  await callJson(`${clusterCall(cluster.key, path)}?fieldValidation=Strict${query}`, { method: 'POST', body: manifest })
}

/** The system's namespaces are where one seldom creates. */
function ownNamespace(scope: readonly string[]): string {
  return scope.find((name) => !name.startsWith('kube-')) ?? scope[0] ?? 'default'
}

const bodies: Readonly<Record<string, string>> = {
  Pod: `spec:\n  containers:\n    - name: main\n      image: nginx:1.29\n`,
  Deployment: `spec:\n  replicas: 2\n  selector:\n    matchLabels:\n      app: example\n  template:\n    metadata:\n      labels:\n        app: example\n    spec:\n      containers:\n        - name: main\n          image: nginx:1.29\n          ports:\n            - containerPort: 80\n`,
  Service: `spec:\n  selector:\n    app: example\n  ports:\n    - port: 80\n      targetPort: 80\n`,
  ConfigMap: `data:\n  key: value\n`,
  Secret: `stringData:\n  key: value\n`,
  Job: `spec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n        - name: main\n          image: busybox\n          command: ['echo', 'done']\n`,
  PersistentVolumeClaim: `spec:\n  accessModes: ['ReadWriteOnce']\n  resources:\n    requests:\n      storage: 1Gi\n`,
}

function templateOf({ group, version, kind, namespaced }: ApiResource, namespace: string): string {
  const place = namespaced ? `  namespace: ${namespace}\n` : ''
  return `apiVersion: ${group === '' ? version : `${group}/${version}`}\nkind: ${kind}\nmetadata:\n  name: example\n${place}${bodies[kind] ?? (kind === 'Namespace' ? '' : 'spec: {}\n')}`
}
