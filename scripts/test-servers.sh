# The servers that tests collect from, on loopback: PostgreSQL and an SFTP server. Sourced by ./test.
# start_servers exports TONGQU_TEST_POSTGRES (its port) and TONGQU_TEST_SFTP (port, fingerprint, key, folder); stop_servers ends them.

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# PostgreSQL refuses to run as root: it gets the account that Debian's package made.
as_postgres() { if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi; }

# start_postgres FOLDER [OPTIONS]: a server of its own in a new folder, on loopback; prints its port. Account and password: tongqu, tongqu-test.
start_postgres() {
    local folder=$1 port
    shift
    mkdir -p "$folder"
    [ "$(id -u)" != 0 ] || chown postgres "$folder"
    postgres_bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
    port=$(free_port)
    echo tongqu-test >"$folder.password"
    as_postgres "$postgres_bin/initdb" -D "$folder/data" -U tongqu --auth=scram-sha-256 --pwfile="$folder.password" -E UTF8 --locale=C.UTF-8 >/dev/null
    as_postgres "$postgres_bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= $*" start >/dev/null
    echo "$port"
}

stop_postgres() {
    as_postgres "$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)/pg_ctl" -D "$1/data" -m "${2:-fast}" stop >/dev/null 2>&1 || true
}

start_servers() {
    servers=$(mktemp -d /tmp/tongqu-servers-XXXXXX)
    chmod 755 "$servers"
    mkdir "$servers/sftp"
    local port
    # A thousand connections: tests run many nodes at once. What they write outlives no machine: it need not be on the disk.
    TONGQU_TEST_POSTGRES=$(start_postgres "$servers/postgres" -c fsync=off -c max_connections=2000 -c max_locks_per_transaction=256)
    export TONGQU_TEST_POSTGRES
    port=$(free_port)
    ssh-keygen -q -t ed25519 -N '' -f "$servers/sftp/host"
    ssh-keygen -q -t ed25519 -N '' -f "$servers/sftp/key"
    cp "$servers/sftp/key.pub" "$servers/sftp/authorized"
    mkdir "$servers/sftp/drop"
    [ "$(id -u)" != 0 ] || mkdir -p /run/sshd
    /usr/sbin/sshd -f /dev/null -E "$servers/sftp/log" -o "PidFile $servers/sftp/pid" -o "Port $port" -o "ListenAddress 127.0.0.1" \
        -o "HostKey $servers/sftp/host" -o "AuthorizedKeysFile $servers/sftp/authorized" -o "StrictModes no" -o "UsePAM no" \
        -o "PasswordAuthentication no" -o "PermitRootLogin prohibit-password" -o "Subsystem sftp internal-sftp"
    export TONGQU_TEST_SFTP="$port $(ssh-keygen -lf "$servers/sftp/host.pub" | cut -d' ' -f2) $servers/sftp/key $servers/sftp/drop $(id -un)"
}

stop_servers() {
    [ -n "${servers:-}" ] || return 0
    stop_postgres "$servers/postgres" immediate
    [ ! -s "$servers/sftp/pid" ] || kill "$(cat "$servers/sftp/pid")" 2>/dev/null || true
    rm -rf "$servers"
}
