"""Checks Kubernetes objects against Kubernetes' own schemas, and custom ones against those of their definitions (CRDs).

stdin: {"objects": [...], "crds": [path, ...], "versions": ["1.37", ...]}; stdout: a list of faults, a text each. Strict: a
field that no schema has is a fault. Rules in CEL (x-kubernetes-validations) are not evaluated.
"""

import json
import sys

import jsonschema
import kubernetes_validate
import yaml


def strict(schema):
    """A structural schema as JSON Schema that refuses unknown fields."""
    if not isinstance(schema, dict):
        return schema
    schema = dict(schema)
    if schema.pop("x-kubernetes-int-or-string", False):
        return {"type": ["integer", "string"]}
    keeps_unknown = schema.get("x-kubernetes-preserve-unknown-fields", False)
    if "properties" in schema:
        schema["properties"] = {name: strict(value) for name, value in schema["properties"].items()}
        if not keeps_unknown:
            schema.setdefault("additionalProperties", False)
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = strict(schema["additionalProperties"])
    if "items" in schema:
        schema["items"] = strict(schema["items"])
    schema.pop("format", None)
    return schema


def definitions(paths):
    """The schema of each (apiVersion, kind)."""
    found = {}
    for path in paths:
        with open(path) as file:
            # PyYAML's own reader takes a second for each of them.
            spec = yaml.load(file, Loader=yaml.CSafeLoader)["spec"]
        for version in spec["versions"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            # Kubernetes itself checks the metadata.
            schema["properties"]["metadata"] = {"type": "object"}
            found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return found


def faults_of(item, custom, versions):
    name = f"{item['kind']} {item['metadata']['name']}"
    if (item["apiVersion"], item["kind"]) in custom:
        validator = jsonschema.Draft202012Validator(custom[item["apiVersion"], item["kind"]])
        for error in validator.iter_errors(item):
            yield f"{name}: {error.json_path}: {error.message}"
        return
    for version in versions:
        try:
            kubernetes_validate.validate(item, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{name} (Kubernetes {version}): {error.json_path}: {error.message}"
        except kubernetes_validate.SchemaNotFoundError as error:
            yield f"{name} (Kubernetes {version}): {error.message}"


given = json.load(sys.stdin)
custom = definitions(given["crds"])
json.dump([fault for item in given["objects"] for fault in faults_of(item, custom, given["versions"])], sys.stdout)
