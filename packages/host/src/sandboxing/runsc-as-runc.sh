#!/bin/sh
# gVisor's runsc, called as containerd's shim for runc calls runc: this keeps what that shim expects and runsc has not.
#
# The shim takes a container for ended when the process ends that `create` names. All containers of a sandbox are one
# process of runsc, so each has a keeper here: it starts the container, waits for its end and ends with its code. runsc
# takes a container's input and outputs with `start`, the shim gives them with `create`: the keeper holds them in between.
#
# The pod's network is runsc's own: its host mode gives EAGAIN to programs that block in read(2). Its builds before 2024
# take a namespace for the host's when /proc/sys/net/core/rmem_default is there, which newer kernels have in each: it is
# covered while the sandbox starts.
runsc="runsc --platform=ptrace --network=sandbox"

command= id= pidfile= root= bundle= next=
for word; do
  case $next in
    root) root=$word ;;
    pidfile) pidfile=$word ;;
    log) bundle=${word%/*} ;;
  esac
  if [ -n "$next" ]; then next=; continue; fi
  case $word in
    --root) next=root ;;
    --pid-file) next=pidfile ;;
    --log) next=log ;;
    --log-format | --bundle | --console-socket | --process | --resources | --format) next=other ;;
    -*) ;;
    *) if [ -z "$command" ]; then command=$word; else id=${id:-$word}; fi ;;
  esac
done

keep() {
  exec < /dev/null > /dev/null 2>&1
  read -r word < "$bundle/order" || word=
  if [ "$word" != start ]; then exit 137; fi
  if [ -n "$network" ]; then
    unshare --mount --propagation slave sh -c \
      'nsenter --net="$0" mount -t tmpfs tmpfs /proc/sys/net/core && exec "$@"' "$network" \
      $runsc --root "$root" --log "$bundle/log.json" --log-format json start "$id" <&3 >&4 2>&5
  else
    $runsc --root "$root" --log "$bundle/log.json" --log-format json start "$id" <&3 >&4 2>&5
  fi
  code=$?
  exec 3<&- 4>&- 5>&-
  echo $code > "$bundle/started"
  [ $code = 0 ] || exit 137
  code=$($runsc --root "$root" wait "$id" | sed -n 's/.*"exitStatus":\([0-9]*\).*/\1/p')
  exit "${code:-137}"
}

case $command in
create)
  network=
  if grep -q '"io.kubernetes.cri.container-type":"sandbox"' "$bundle/config.json"; then
    network=$(sed -n 's/.*{"type":"network","path":"\([^"]*\)"}.*/\1/p' "$bundle/config.json")
    if [ -z "$network" ]; then
      message='host networking is not available to sandboxed pods'
      printf '{"level":"error","msg":"%s"}\n' "$message" >> "$bundle/log.json"
      echo "$message" >&2
      exit 1
    fi
  fi
  $runsc "$@" || exit
  mkfifo "$bundle/order" "$bundle/started"
  exec 3<&0 4>&1 5>&2
  keep &
  printf %s "$!" > "$pidfile"
  ;;
start)
  echo start > "$bundle/order"
  read -r code < "$bundle/started"
  [ "$code" = 0 ] || exit "${code:-1}"
  ;;
kill)
  $runsc "$@" > "$bundle/kill.out" 2>&1 && exit
  code=$?
  case $($runsc --root "$root" state "$id" 2>&1) in
    *'"status": "running"'* | *'"status": "created"'*) cat "$bundle/kill.out" >&2 && exit $code ;;
  esac
  # The shim knows by these words that there is nothing left to kill.
  echo 'container not running' >&2
  exit 1
  ;;
update)
  # All containers of a sandbox are one process: what bounds them is the pod's cgroup, which the node agent writes itself.
  ;;
delete)
  # A container that was never started has a keeper that waits for the order.
  if [ -p "$bundle/order" ]; then echo end 1<> "$bundle/order"; fi
  exec $runsc "$@"
  ;;
*) exec $runsc "$@" ;;
esac
