#!/bin/sh
# Creates or updates Temporal's two databases. Reads SQL_HOST, SQL_USER, SQL_PASSWORD. Safe to run again.
set -eu
schema=/etc/temporal/schema/postgresql/v12
for pair in temporal:temporal temporal_visibility:visibility; do
  database=${pair%%:*}
  folder=${pair##*:}
  tool="temporal-sql-tool --plugin postgres12 --ep $SQL_HOST -p 5432 -u $SQL_USER --db $database"
  # Refused when it exists, which is how every start but the first looks.
  $tool create || true
  $tool setup-schema -v 0.0 || true # refused once a version is recorded: then only the update below counts
  $tool update-schema -d "$schema/$folder/versioned"
done
