#!/usr/bin/env python3
"""Reads the stand-alone simulator to the last page through each vendor's own client from PyPI, and compares counts.

By hand: it downloads packages. Usage, from anywhere:

    tests/checks/vendor-clients.py [--devices N] [--seed S] [--port-base P] [--simulator FILE] [--venv FOLDER]

The clients are installed into a virtual environment in a temporary folder, or into FOLDER, which is kept. Every list
is read twice: by the vendor's client and by plain HTTP written here. Exit 1 if a count differs or a client fails.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

PACKAGES = ["okta==3.4.6", "msgraph-sdk==1.65.0", "jamf-pro-sdk==0.9a1", "slack_sdk==3.48.0"]
ROOT = Path(__file__).resolve().parents[2]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=450)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port-base", type=int, default=9400)
    parser.add_argument("--simulator", help="its program; without one it is built")
    parser.add_argument("--venv", help="virtual environment to use and keep")
    parser.add_argument("--connection", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = arguments()
    if options.connection:
        return asyncio.run(compare(json.loads(options.connection)))
    with tempfile.TemporaryDirectory() as scratch:
        venv = Path(options.venv or Path(scratch) / "venv")
        python = venv / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        command = [options.simulator] if options.simulator else ["cargo", "run", "--quiet", "-p", "simulator", "--"]
        command += ["--devices", str(options.devices), "--seed", str(options.seed)]
        command += ["--port-base", str(options.port_base), "--no-rate-limits"]
        simulator = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            connection = simulator.stdout.readline()
            again = [python, Path(__file__).resolve(), "--connection", connection]
            return subprocess.run(again, check=False).returncode
        finally:
            simulator.terminate()
            simulator.wait()


# Plain HTTP, to compare with.


def fetch(url, headers, body=None):
    request = urllib.request.Request(url, data=body, headers=headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer), answer.headers


def by_links(url, headers):
    """Okta's way: `Link: <…>; rel="next"`. The System Log always has one, so an empty page ends it too."""
    rows = []
    while url:
        page, answered = fetch(url, headers)
        rows += page
        links = ", ".join(answered.get_all("Link") or [])
        found = re.search(r'<([^>]+)>; rel="next"', links)
        url = found.group(1) if found and page else None
    return rows


def by_next_link(url, headers):
    """Graph's way."""
    rows = []
    while url:
        page, _ = fetch(url, headers)
        rows += page["value"]
        url = page.get("@odata.nextLink")
    return rows


def by_pages(url, headers):
    """Jamf Pro's way."""
    rows, page = [], 0
    while True:
        answer, _ = fetch(f"{url}page={page}&page-size=100", headers)
        rows += answer["results"]
        page += 1
        if len(rows) >= answer["totalCount"] or not answer["results"]:
            return rows


# The vendors' clients.


async def okta_counts(connection):
    from okta.client import Client

    # Its configuration can be told only by the environment that plain http is wanted.
    os.environ["OKTA_TESTING_TESTINGDISABLEHTTPSCHECK"] = "true"
    client = Client({"orgUrl": connection["org_url"], "token": connection["api_token"]})

    async def to_the_end(call, **query):
        rows, after = [], None
        while True:
            if after is not None:
                # The log takes either of the two.
                query = {**query, "after": after}
                query.pop("since", None)
            page, response, error = await call(**query)
            if error:
                raise RuntimeError(f"okta: {error}")
            rows += page
            links = ", ".join(value for name, value in response.headers.items() if name.lower() == "link")
            found = re.search(r'<([^>]+)>; rel="next"', links)
            if not found or not page:
                return rows
            after = urllib.parse.parse_qs(urllib.parse.urlparse(found.group(1)).query)["after"][0]

    headers = {"Authorization": f"SSWS {connection['api_token']}"}
    url = connection["org_url"]
    # The client's enumeration lacks CREATED, which the samples of Okta's own description have: it refuses such a record.
    known = " or ".join(f'status eq "{status}"' for status in ["ACTIVE", "SUSPENDED", "DEACTIVATED"])
    devices = await to_the_end(client.list_devices, limit=100, expand="userSummary", search=known)
    everything = by_links(f"{url}/api/v1/devices?limit=100&expand=userSummary", headers)
    plain = [device for device in everything if device["status"] != "CREATED"]
    yield "okta devices", {device.id for device in devices}, {device["id"] for device in plain}

    def statuses(devices, users):
        links = (link for device in devices for link in users(device))
        return sorted(str(link) for link in links)

    embedded = [
        getattr(link.management_status, "value", link.management_status)
        for device in devices
        for link in (device.embedded.users if device.embedded and device.embedded.users else [])
    ]
    plain_status = statuses(plain, lambda device: [u["managementStatus"] for u in device["_embedded"]["users"]])
    yield "okta device-users", sorted(map(str, embedded)), plain_status

    users = await to_the_end(client.list_users, limit=200)
    plain = by_links(f"{url}/api/v1/users?limit=200", headers)
    yield "okta users", {user.id for user in users}, {user["id"] for user in plain}

    groups = await to_the_end(client.list_groups, limit=200)
    plain = by_links(f"{url}/api/v1/groups?limit=200", headers)
    yield "okta groups", {group.id for group in groups}, {group["id"] for group in plain}

    # Not the policies themselves: orgs answer `_embedded.resourceType` as a text, and the client wants an object there.
    policies = by_links(f"{url}/api/v1/policies?type=ACCESS_POLICY", headers)
    for policy in policies:
        rules = await to_the_end(client.list_policy_rules, policy_id=policy["id"])
        plain = by_links(f"{url}/api/v1/policies/{policy['id']}/rules", headers)
        yield f"okta rules of {policy['name']}"[:36], [rule.id for rule in rules], [rule["id"] for rule in plain]

    since = (datetime.now(timezone.utc) - timedelta(days=90)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    events = await to_the_end(client.list_log_events, limit=1000, since=since)
    plain = by_links(f"{url}/api/v1/logs?limit=1000&since={since}", headers)
    yield "okta log events", {event.uuid for event in events}, {event["uuid"] for event in plain}

    # One by id, with its users.
    one = devices[0].id
    linked, _, error = await client.list_device_users(one)
    if error:
        raise RuntimeError(f"okta: {error}")
    plain, _ = fetch(f"{url}/api/v1/devices/{one}/users", headers)
    yield "okta users of a device", [link.user.id for link in linked], [link["user"]["id"] for link in plain]


async def graph_counts(connection):
    from kiota_abstractions.authentication import AuthenticationProvider
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from msgraph import GraphRequestAdapter, GraphServiceClient

    form = urllib.parse.urlencode({
        "client_id": connection["client_id"],
        "client_secret": connection["client_secret"],
        "grant_type": "client_credentials",
        "scope": f"{connection['graph_url']}/.default",
    }).encode()
    token, _ = fetch(f"{connection['login_url']}/{connection['tenant_id']}/oauth2/v2.0/token", {}, form)
    headers = {"Authorization": f"Bearer {token['access_token']}"}

    # azure-identity refuses a login service on plain http, so the token is a fixed one.
    class FixedToken(AuthenticationProvider):
        async def authenticate_request(self, request, additional_authentication_context=None):
            request.headers.add("Authorization", headers["Authorization"])

    adapter = GraphRequestAdapter(FixedToken())
    adapter.base_url = f"{connection['graph_url']}/v1.0"
    client = GraphServiceClient(request_adapter=adapter)

    async def to_the_end(builder, **query):
        parameters = type(builder).__name__
        kind = getattr(type(builder), f"{parameters}GetQueryParameters")
        page = await builder.get(RequestConfiguration(query_parameters=kind(**query)))
        rows = list(page.value)
        while page.odata_next_link:
            page = await builder.with_url(page.odata_next_link).get()
            rows += page.value
        return rows

    base = adapter.base_url
    devices = await to_the_end(client.device_management.managed_devices, top=50)
    plain = by_next_link(f"{base}/deviceManagement/managedDevices?$top=50", headers)
    yield "intune managed devices", {device.id for device in devices}, {device["id"] for device in plain}

    group = connection["target_group"]
    members = await to_the_end(client.groups.by_group_id(group).members, top=50)
    plain = by_next_link(f"{base}/groups/{group}/members?$top=50", headers)
    yield "entra members of the target group", {one.id for one in members}, {one["id"] for one in plain}

    one = devices[0].id
    read = await client.device_management.managed_devices.by_managed_device_id(one).get()
    plain, _ = fetch(f"{base}/deviceManagement/managedDevices/{one}", headers)
    same = ["serial_number", "device_name", "azure_a_d_device_id", "user_principal_name"]
    wire = ["serialNumber", "deviceName", "azureADDeviceId", "userPrincipalName"]
    yield "intune device by id", [getattr(read, name) for name in same], [plain.get(name) for name in wire]


async def jamf_counts(connection):
    from jamf_pro_sdk import ApiClientCredentialsProvider, JamfProClient, SessionConfig

    url = urllib.parse.urlparse(connection["url"])
    client = JamfProClient(
        server=url.hostname,
        port=url.port,
        credentials=ApiClientCredentialsProvider(connection["client_id"], connection["client_secret"]),
        session_config=SessionConfig(scheme="http"),
    )
    form = urllib.parse.urlencode({
        "client_id": connection["client_id"],
        "client_secret": connection["client_secret"],
        "grant_type": "client_credentials",
    }).encode()
    token, _ = fetch(f"{connection['url']}/api/v1/oauth/token", {}, form)
    headers = {"Authorization": f"Bearer {token['access_token']}", "Accept": "application/json"}

    sections = ["GENERAL", "HARDWARE", "CERTIFICATES", "CONFIGURATION_PROFILES", "USER_AND_LOCATION"]
    computers = client.pro_api.get_computer_inventory_v3(sections=sections, page_size=100)
    wanted = "&".join(f"section={section}" for section in sections)
    plain = by_pages(f"{connection['url']}/api/v3/computers-inventory?{wanted}&", headers)
    yield "jamf computers", {computer.id for computer in computers}, {computer["id"] for computer in plain}
    certificates = sorted(one.serialNumber or "" for computer in computers for one in computer.certificates or [])
    shown = sorted(one["serialNumber"] for computer in plain for one in computer["certificates"] or [])
    yield "jamf certificates", certificates, shown
    newest = by_pages(f"{connection['url']}/api/v4/computers-inventory?section=GENERAL&", headers)
    yield "jamf computers, v3 and v4", {computer.id for computer in computers}, {one["id"] for one in newest}

    key = next(computer["general"]["managementId"] for computer in plain if computer["general"]["managementId"])
    from jamf_pro_sdk.clients.pro_api.pagination import FilterField

    commands = client.pro_api.get_mdm_commands_v2(
        filter_expression=FilterField("clientManagementId").eq(key), page_size=100
    )
    asked = urllib.parse.quote(f'clientManagementId=="{key}"')
    plain_commands = by_pages(f"{connection['url']}/api/v2/mdm/commands?filter={asked}&", headers)
    yield "jamf commands of a computer", {str(one.uuid) for one in commands}, {one["uuid"] for one in plain_commands}

    groups = client.classic_api.list_all_computer_groups()
    plain_groups, _ = fetch(f"{connection['url']}/JSSResource/computergroups", headers)
    yield "jamf groups", {one.id for one in groups}, {one["id"] for one in plain_groups["computer_groups"]}
    group = client.classic_api.get_computer_group_by_id(int(connection["target_group"]))
    plain_group, _ = fetch(f"{connection['url']}/JSSResource/computergroups/id/{connection['target_group']}", headers)
    members = plain_group["computer_group"]["computers"]
    yield "jamf members of the target group", {one.id for one in group.computers}, {one["id"] for one in members}


async def slack_counts(connection):
    from slack_sdk import WebClient

    client = WebClient(token=connection["bot_token"], base_url=f"{connection['api_url']}/")
    headers = {"Authorization": f"Bearer {connection['bot_token']}"}
    yield "slack auth.test", client.auth_test()["ok"], True

    def plain(method, rows, **query):
        found, cursor = [], ""
        while True:
            asked = urllib.parse.urlencode({**query, "limit": 50, "cursor": cursor})
            answer, _ = fetch(f"{connection['api_url']}/{method}?{asked}", headers)
            found += answer[rows]
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return found

    users = [user["id"] for page in client.users_list(limit=50) for user in page["members"]]
    yield "slack users", sorted(users), sorted(user["id"] for user in plain("users.list", "members"))
    channels = [one["id"] for page in client.conversations_list(limit=50) for one in page["channels"]]
    yield "slack channels", sorted(channels), sorted(one["id"] for one in plain("conversations.list", "channels"))
    group = connection["approvers_usergroup"]
    members = client.usergroups_users_list(usergroup=group)["users"]
    yield "slack approvers", members, plain("usergroups.users.list", "users", usergroup=group)

    channel = connection["channel"]
    for number in range(3):
        client.chat_postMessage(channel=channel, text=f"message {number}")
    history = client.conversations_history(channel=channel, limit=2)
    texts = [message["text"] for page in history for message in page["messages"]]
    wanted = [message["text"] for message in plain("conversations.history", "messages", channel=channel)]
    yield "slack history", texts, wanted


async def compare(connection):
    wrong = 0
    for vendor, counts in [
        ("okta", okta_counts),
        ("intune", graph_counts),
        ("jamf", jamf_counts),
        ("slack", slack_counts),
    ]:
        try:
            async for name, by_client, by_hand in counts(connection[vendor]):
                equal = by_client == by_hand
                wrong += not equal
                sizes = [len(side) if hasattr(side, "__len__") else side for side in (by_client, by_hand)]
                print(f"{'ok   ' if equal else 'WRONG'} {name:36} client {sizes[0]:>6}  plain {sizes[1]:>6}", flush=True)
        # A client that cannot read an answer is the finding that this script is for.
        except Exception as error:
            wrong += 1
            print(f"WRONG {vendor}: {type(error).__name__}: {str(error)[:600]}", flush=True)
    print(f"{wrong} differ" if wrong else "all equal")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
