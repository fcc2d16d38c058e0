# The servers that tests collect from, on loopback: PostgreSQL and an SFTP server. Sourced by ./test.
# start_servers exports TONGQU_TEST_POSTGRES (its port) and TONGQU_TEST_SFTP (port, fingerprint, key, folder); stop_servers ends them.

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# PostgreSQL refuses to run as root: it gets the account that Debian's package made.
as_postgres() { if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi; }

start_servers() {
    servers=$(mktemp -d /tmp/tongqu-servers-XXXXXX)
    chmod 755 "$servers"
    mkdir "$servers/postgres" "$servers/sftp"
    [ "$(id -u)" != 0 ] || chown postgres "$servers/postgres"
    echo tongqu-test >"$servers/password"
    postgres_bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
    local port
    port=$(free_port)
    as_postgres "$postgres_bin/initdb" -D "$servers/postgres/data" -U tongqu --auth=scram-sha-256 --pwfile="$servers/password" -E UTF8 --locale=C.UTF-8 >/dev/null
    as_postgres "$postgres_bin/pg_ctl" -D "$servers/postgres/data" -w -l "$servers/postgres/log" \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=1000 -c max_locks_per_transaction=256" start >/dev/null
    export TONGQU_TEST_POSTGRES=$port
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
    as_postgres "$postgres_bin/pg_ctl" -D "$servers/postgres/data" -m immediate stop >/dev/null 2>&1 || true
    [ ! -s "$servers/sftp/pid" ] || kill "$(cat "$servers/sftp/pid")" 2>/dev/null || true
    rm -rf "$servers"
}
