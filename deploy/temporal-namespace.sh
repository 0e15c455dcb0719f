#!/bin/sh
# Creates the namespace and the search attributes that Countersign's workers check at start. Safe to run again.
# An unregistered search attribute would hang a run, not fail it.
set -eu
namespace=${COUNTERSIGN_TEMPORAL_NAMESPACE:-countersign}
temporal operator namespace describe --namespace "$namespace" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$namespace" --retention 30d
for attribute in Phase=Keyword Agent=Keyword Principal=Keyword Domain=Keyword Environment=Keyword Provider=Keyword SpentMinor=Int AwaitingApproval=Bool; do
  name=${attribute%%=*}
  temporal operator search-attribute list --namespace "$namespace" | grep -qw "$name" ||
    temporal operator search-attribute create --namespace "$namespace" --name "$name" --type "${attribute##*=}"
done
