// A small CSI driver: a volume is a folder beside its socket, staged and published by bind mounts; a volume without a file
// system is an image there, staged as a loop device, of which the node is bound where it is published.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { register, serve } from './plugin-server.ts'

const name = 'folders.csi.example.com'
const home = `/var/lib/kubelet/plugins/${name}`

const proto = `
syntax = "proto3";
package csi.v1;
service Identity {
  rpc GetPluginInfo(Nothing) returns (GetPluginInfoResponse) {}
  rpc Probe(Nothing) returns (Nothing) {}
}
service Node {
  rpc NodeStageVolume(NodeStageVolumeRequest) returns (Nothing) {}
  rpc NodeUnstageVolume(NodeUnstageVolumeRequest) returns (Nothing) {}
  rpc NodePublishVolume(NodePublishVolumeRequest) returns (Nothing) {}
  rpc NodeUnpublishVolume(NodeUnpublishVolumeRequest) returns (Nothing) {}
  rpc NodeGetVolumeStats(NodeGetVolumeStatsRequest) returns (NodeGetVolumeStatsResponse) {}
  rpc NodeExpandVolume(NodeExpandVolumeRequest) returns (NodeExpandVolumeResponse) {}
  rpc NodeGetCapabilities(Nothing) returns (NodeGetCapabilitiesResponse) {}
  rpc NodeGetInfo(Nothing) returns (NodeGetInfoResponse) {}
}
message Nothing {}
message GetPluginInfoResponse { string name = 1; string vendor_version = 2; }
message MountVolume { string fs_type = 1; repeated string mount_flags = 2; string volume_mount_group = 3; }
message AccessMode { int32 mode = 1; }
message VolumeCapability { oneof access_type { Nothing block = 1; MountVolume mount = 2; } AccessMode access_mode = 3; }
message NodeStageVolumeRequest {
  string volume_id = 1; map<string, string> publish_context = 2; string staging_target_path = 3;
  VolumeCapability volume_capability = 4; map<string, string> secrets = 5; map<string, string> volume_context = 6;
}
message NodeUnstageVolumeRequest { string volume_id = 1; string staging_target_path = 2; }
message NodePublishVolumeRequest {
  string volume_id = 1; map<string, string> publish_context = 2; string staging_target_path = 3; string target_path = 4;
  VolumeCapability volume_capability = 5; bool readonly = 6; map<string, string> secrets = 7;
  map<string, string> volume_context = 8;
}
message NodeUnpublishVolumeRequest { string volume_id = 1; string target_path = 2; }
message NodeGetVolumeStatsRequest { string volume_id = 1; string volume_path = 2; string staging_target_path = 3; }
message VolumeUsage { int64 available = 1; int64 total = 2; int64 used = 3; int32 unit = 4; }
message NodeGetVolumeStatsResponse { repeated VolumeUsage usage = 1; }
message CapacityRange { int64 required_bytes = 1; int64 limit_bytes = 2; }
message NodeExpandVolumeRequest {
  string volume_id = 1; string volume_path = 2; CapacityRange capacity_range = 3; string staging_target_path = 4;
  VolumeCapability volume_capability = 5; map<string, string> secrets = 6;
}
message NodeExpandVolumeResponse { int64 capacity_bytes = 1; }
message RPC { int32 type = 1; }
message NodeServiceCapability { oneof type { RPC rpc = 1; } }
message NodeGetCapabilitiesResponse { repeated NodeServiceCapability capabilities = 1; }
message Topology { map<string, string> segments = 1; }
message NodeGetInfoResponse { string node_id = 1; int64 max_volumes_per_node = 2; Topology accessible_topology = 3; }
`

interface Publish {
  readonly volumeId: string
  readonly stagingTargetPath: string
  readonly targetPath: string
  readonly readonly?: boolean
  readonly volumeCapability?: { readonly block?: object }
  readonly secrets?: Readonly<Record<string, string>>
  readonly volumeContext?: Readonly<Record<string, string>>
}

const isMounted = (path: string): boolean =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4] === path)
const mount = (...args: readonly string[]): unknown => execFileSync('/bin/mount', args)

function bind(from: string, to: string, readOnly: boolean): void {
  mkdirSync(from, { recursive: true })
  mkdirSync(to, { recursive: true })
  if (isMounted(to)) return
  mount('-o', 'bind', from, to)
  if (readOnly) mount('-o', 'remount,bind,ro', to)
}

function release(path: string): void {
  while (isMounted(path)) execFileSync('/bin/umount', [path])
  if (existsSync(path)) rmSync(path, { recursive: statSync(path).isDirectory() && readdirSync(path).length === 0 })
}

const imageOf = (volumeId: string): string => `${home}/blocks/${volumeId}.img`
/** The loop device that the image is attached to. The kernel names files as the node has them. */
function deviceOf(volumeId: string): string | undefined {
  const found = readdirSync('/sys/block').find((device) => {
    const file = `/sys/block/${device}/loop/backing_file`
    return existsSync(file) && readFileSync(file, 'utf8').trim().endsWith(`/${name}/blocks/${volumeId}.img`)
  })
  return found === undefined ? undefined : `/dev/${found}`
}

function stageBlock(volumeId: string): void {
  const image = imageOf(volumeId)
  mkdirSync(`${home}/blocks`, { recursive: true })
  if (!existsSync(image)) execFileSync('/bin/truncate', ['-s', '64M', image])
  if (deviceOf(volumeId) !== undefined) return
  const free = execFileSync('/bin/losetup', ['-f']).toString().trim()
  execFileSync('/bin/losetup', [free, image])
}

function publishBlock(volumeId: string, target: string): void {
  const device = deviceOf(volumeId)
  if (device === undefined) throw new Error(`volume ${volumeId} is not staged`)
  if (!existsSync(target)) writeFileSync(target, '')
  if (!isMounted(target)) mount('-o', 'bind', device, target)
}

const isBlock = (capability: Publish['volumeCapability']): boolean =>
  capability?.block !== undefined && capability.block !== null

const [STAGE_UNSTAGE, GET_VOLUME_STATS, EXPAND] = [1, 2, 3]

const node = {
  NodeGetInfo: () => ({
    nodeId: `folders-${process.env['NODE_NAME']}`,
    maxVolumesPerNode: 7,
    accessibleTopology: { segments: { [`topology.${name}/rack`]: 'r1' } },
  }),
  NodeGetCapabilities: () => ({
    capabilities: [STAGE_UNSTAGE, GET_VOLUME_STATS, EXPAND].map((type) => ({ rpc: { type } })),
  }),
  NodeStageVolume({ volumeId, stagingTargetPath, volumeCapability }: Publish) {
    if (isBlock(volumeCapability)) stageBlock(volumeId)
    else bind(`${home}/volumes/${volumeId}`, stagingTargetPath, false)
  },
  NodeUnstageVolume({ volumeId, stagingTargetPath }: Publish) {
    const device = deviceOf(volumeId)
    if (device !== undefined) execFileSync('/bin/losetup', ['-d', device])
    release(stagingTargetPath)
  },
  NodePublishVolume(asked: Publish) {
    const { volumeId, stagingTargetPath, targetPath, readonly, volumeCapability, secrets, volumeContext } = asked
    if (isBlock(volumeCapability)) return publishBlock(volumeId, targetPath)
    if (stagingTargetPath !== '') return bind(stagingTargetPath, targetPath, readonly === true)
    const folder = `${home}/inline/${volumeId}`
    mkdirSync(folder, { recursive: true })
    writeFileSync(`${folder}/told.json`, JSON.stringify({ secrets, volumeContext }))
    return bind(folder, targetPath, readonly === true)
  },
  NodeUnpublishVolume: ({ targetPath }: Publish) => release(targetPath),
  NodeGetVolumeStats: () => ({ usage: [{ available: 600, total: 1000, used: 400, unit: 1 }] }),
  NodeExpandVolume: () => ({ capacityBytes: 0 }),
}

mkdirSync(home, { recursive: true })
await serve(`${home}/csi.sock`, [
  {
    proto,
    service: 'csi.v1.Identity',
    handlers: { GetPluginInfo: () => ({ name, vendorVersion: '1' }), Probe: () => ({}) },
  },
  { proto, service: 'csi.v1.Node', handlers: node },
])
await register({ type: 'CSIPlugin', name, endpoint: `${home}/csi.sock`, versions: ['1.0.0'] })
console.log('serving')
