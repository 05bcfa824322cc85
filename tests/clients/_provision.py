"""Compares the Terraform module and the Bicep files with the plan of `install azure`."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

# The cloud's variables, which the operator of local Azure alone is told.
LOCAL = {
    "ACI_OPERATOR_CLOUD",
    "ACI_OPERATOR_RESOURCE_MANAGER_URL",
    "AZURE_AUTHORITY_HOST",
    "ACI_OPERATOR_GRAPH_URL",
}
PASSED: list[str] = []


def check(what: str, holds: bool, told: object = "") -> None:
    """Count a check, or end."""
    if not holds:
        sys.exit(f"{what}: {told}")
    PASSED.append(what)
    print(f"ok: {what}")


def compare(what: str, found: object, wanted: object) -> None:
    """Two documents are the same."""
    texts = [json.dumps(one, indent=1, sort_keys=True) for one in (found, wanted)]
    check(what, texts[0] == texts[1], f"\nfound {texts[0]}\nwanted {texts[1]}")


def body(resource: dict[str, Any]) -> dict[str, Any]:
    """Give what is put, without what Terraform and Bicep say beside the body."""
    inner = {k: v for k, v in resource["body"].items() if k not in ("location", "tags", "identity")}
    for container in inner.get("properties", {}).get("containers", []):
        variables = container["properties"]["environmentVariables"]
        container["properties"]["environmentVariables"] = [
            v for v in variables if v["name"] not in LOCAL
        ]
    return inner


def kind_of(resource: dict[str, Any]) -> str:
    """Name type and version, such as Microsoft.Storage/storageAccounts@2023-05-01."""
    provider, *rest = resource["id"].rsplit("/providers/", 1)[-1].split("/")
    if not rest or provider == "":
        provider, rest = "Microsoft.Resources", ["resourceGroups", ""]
    if resource["kind"] == "resource group":
        provider, rest = "Microsoft.Resources", ["resourceGroups", ""]
    return f"{provider}/{'/'.join(rest[::2])}@{resource['apiVersion']}"


# --- Terraform ---------------------------------------------------------------------------------


def evaluate(
    tofu: str, module: Path, work: Path, variables: dict[str, Any], facts: dict[str, str]
) -> dict[str, Any]:
    """Evaluate the module's locals; what Azure tells is given, so no provider is needed."""
    folder = work / "module"
    folder.mkdir()
    for name in ("variables.tf", "locals.tf"):
        (folder / name).write_text((module / name).read_text())
    (folder / "facts.tf.json").write_text(json.dumps({"locals": {"facts": facts}}))
    (folder / "terraform.tfvars.json").write_text(json.dumps(variables))
    names = ["role_body", "assignments", "assignment_bodies", "account_body", "policy_body"]
    names += ["group_body", "tags", "account"]
    wanted = ", ".join(f"{name} = local.{name}" for name in names)
    run = subprocess.run(  # noqa: S603 -- the program that our own script has built
        [tofu, f"-chdir={folder}", "console"],
        input=f"jsonencode({{ {wanted} }})\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        sys.exit(run.stderr)
    found: dict[str, Any] = json.loads(json.loads(run.stdout))
    return found


def terraform(
    plan: list[dict[str, Any]], tofu: str, module: Path, work: Path, identity: str
) -> None:
    """Every body that the module puts is the plan's."""
    of = {
        sort: [one for one in plan if one["kind"] == sort] for sort in {one["kind"] for one in plan}
    }
    group = of["container group"][0]
    variables = {
        v["name"]: v["value"]
        for v in body(group)["properties"]["containers"][0]["properties"]["environmentVariables"]
    }
    given = [one["body"]["properties"] for one in of["role assignment"]]
    facts = {
        "principal": given[0]["principalId"],
        "client": variables["AZURE_CLIENT_ID"],
        "blob": variables["ACI_OPERATOR_HOME"].removesuffix("home"),
    }
    people = [one["principalId"] for one in given if "principalType" not in one]
    found = evaluate(
        tofu,
        module,
        work,
        {
            "subscription_id": variables["AZURE_SUBSCRIPTION_ID"],
            "resource_group": "operators",
            "location": "westeurope",
            "manage": ["web", "jobs"],
            "identities": [identity],
            "readers": people[:1],
            "writers": people[1:],
            "image": "registry.example/aci-operator@sha256:00",
            "self_update": True,
        },
        facts,
    )
    account = of["storage account"][0]
    policy = next(one for one in of["setting"] if "managementPolicies" in one["id"])
    compare("Terraform: the role", found["role_body"], body(of["role"][0]))
    compare("Terraform: the account", found["account_body"], body(account))
    compare("Terraform: its name", found["account"], account["id"].rsplit("/", 1)[-1])
    compare("Terraform: the rules", found["policy_body"], body(policy))
    compare("Terraform: the container group", found["group_body"], body(group))
    compare("Terraform: the tags", found["tags"], group["body"]["tags"])
    places = {key: one["scope"] for key, one in found["assignments"].items()}
    ours = sorted(
        (places[key], json.dumps(one["properties"], sort_keys=True))
        for key, one in found["assignment_bodies"].items()
    )
    theirs = sorted(
        (
            one["id"].split("/providers/Microsoft.Authorization/")[0],
            json.dumps(one["body"]["properties"], sort_keys=True),
        )
        for one in of["role assignment"]
    )
    compare("Terraform: who may do what", ours, theirs)
    text = (module / "main.tf").read_text()
    # The plan looks at the managed resource groups too, which both expect to be there.
    kinds = {re.sub(r"/providers/.*", "", kind_of(one)) for one in plan}
    compare(
        "Terraform: the resource types",
        sorted(set(re.findall(r'type\s*=\s*"(Microsoft[^"]+)"', text))),
        sorted(kinds),
    )


# --- Bicep -------------------------------------------------------------------------------------


def parse(file: Path) -> Node:
    """Parse a file, which has no error."""
    tree = Parser(Language(tree_sitter_bicep.language())).parse(file.read_bytes())
    check(f"Bicep: {file.name} is well formed", not tree.root_node.has_error, tree.root_node)
    return tree.root_node


def walk(node: Node) -> list[Node]:
    """Give a node and all below it."""
    return [node] + [deeper for child in node.named_children for deeper in walk(child)]


def text(node: Node) -> str:
    """Give the source of a node."""
    return (node.text or b"").decode()


class Computed:
    """A value that only a compiler knows."""


def value(node: Node) -> object:
    """Read a literal as JSON; `Computed` for the rest."""
    match node.type:
        case "object":
            pairs = [child for child in node.named_children if child.type == "object_property"]
            return {
                text(p.named_children[0]).strip("'"): value(p.named_children[-1]) for p in pairs
            }
        case "array":
            return [value(child) for child in node.named_children if child.type != "comment"]
        case "string" if "${" not in text(node):
            return text(node)[1:-1]
        case "number":
            return int(text(node))
        case "boolean":
            return text(node) == "true"
    inner = re.fullmatch(r"json\('([0-9.]+)'\)", text(node))
    return float(inner[1]) if inner else Computed()


def literal(found: object, wanted: object, place: str) -> list[str]:
    """Where a literal of the template is other than the plan."""
    if isinstance(found, Computed):
        return []
    if isinstance(found, dict) and isinstance(wanted, dict):
        names = (
            [] if set(found) == set(wanted) else [f"{place}: {sorted(set(found) ^ set(wanted))}"]
        )
        return names + [
            d for k in found if k in wanted for d in literal(found[k], wanted[k], f"{place}.{k}")
        ]
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        return [
            d
            for i, pair in enumerate(zip(found, wanted, strict=True))
            for d in literal(*pair, f"{place}[{i}]")
        ]
    return [] if found == wanted else [f"{place}: {found!r} is not {wanted!r}"]


def declared(root: Node) -> list[tuple[str, Any]]:
    """Type and body of each resource that a file makes."""
    found = []
    for node in root.named_children:
        if node.type != "resource_declaration" or " existing " in text(node).split("{")[0]:
            continue
        kind = next(text(child)[1:-1] for child in node.named_children if child.type == "string")
        bodies = [child for child in walk(node) if child.type == "object"]
        found.append((kind, value(bodies[0])))
    return found


def bicep(plan: list[dict[str, Any]], folder: Path) -> None:
    """Types are the plan's, and so is every literal of the bodies."""
    files = sorted(folder.glob("*.bicep"))
    made = [one for file in files for one in declared(parse(file))]
    compare(
        "Bicep: the resource types",
        sorted({kind for kind, _ in made}),
        sorted({kind_of(one) for one in plan}),
    )
    for kind, found in made:
        inner = {k: v for k, v in found.items() if k in ("properties", "kind", "sku")}
        same = [body(one) for one in plan if kind_of(one) == kind]
        wrong = [literal(inner, wanted, "") for wanted in same if inner.get("properties") or inner]
        # An assignment is one of several; a kind of its principal that is not known is left out.
        check(f"Bicep: {kind}", not inner or any(not one for one in wrong), wrong[:1])
    used = "\n".join(file.read_text() for file in files)
    roles = {
        one["body"]["properties"]["roleDefinitionId"].rsplit("/", 1)[-1]
        for one in plan
        if one["kind"] == "role assignment"
    }
    custom = next(one["id"].rsplit("/", 1)[-1] for one in plan if one["kind"] == "role")
    check("Bicep: the built-in roles", all(role in used for role in roles - {custom}), roles)
    modules = set(re.findall(r"module \w+ '([^']+)'", used))
    check(
        "Bicep: its modules are there", all((folder / name).exists() for name in modules), modules
    )


def main() -> None:
    """Run all checks."""
    plan_file, tofu, folder, work, identity = sys.argv[1:]
    plan = json.loads(Path(plan_file).read_text())["resources"]
    terraform(plan, tofu, Path(folder) / "terraform", Path(work), identity)
    bicep(plan, Path(folder))
    print(f"{len(PASSED)} passed, 0 failed")


if __name__ == "__main__":
    main()
