"""Ansible's own answer to an inventory, in the form that tell.h describes, but with the values as Ansible types them."""
import os
import warnings

os.environ.update(ANSIBLE_INVENTORY_ENABLED='ini', ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED='1',
                  ANSIBLE_HOST_PATTERN_MISMATCH='error',
                  ANSIBLE_CONFIG=os.path.join(os.path.dirname(os.path.abspath(__file__)), 'ansible.cfg'))
warnings.simplefilter('ignore')  # of Python's reader of literals

from ansible.errors import AnsibleError  # noqa: E402
from ansible.inventory.data import InventoryData  # noqa: E402
from ansible.inventory.manager import InventoryManager, split_host_pattern  # noqa: E402
from ansible.parsing.dataloader import DataLoader  # noqa: E402
from ansible.plugins.loader import inventory_loader  # noqa: E402
from ansible.utils.display import Display  # noqa: E402
from ansible.vars.manager import VariableManager  # noqa: E402

Display.warning = lambda *_, **__: None
Display.display = lambda *_, **__: None


class Answer:
    def __init__(self, path):
        loader = DataLoader()
        self.refused = None
        try:
            self.inventory = InventoryManager(loader=loader, sources=[path])
        except AnsibleError:
            self.refused = self.reason(loader, path)
            return
        self.variables = VariableManager(loader=loader, inventory=self.inventory)
        self.hosts = list(self.inventory.hosts)  # in the order in which they are first named
        self.values = {}
        for name, host in self.inventory.hosts.items():
            every = self.variables.get_vars(host=host, include_hostvars=False, stage='all', use_cache=False)
            self.values[name] = {k: v for k, v in every.items() if k.startswith('rollout_') or k == 'ansible_host'}
        self.lbs = {h for h in self.hosts if 'rollout_api' in self.values[h]}

    @staticmethod
    def reason(loader, path):
        try:
            inventory = InventoryData()
            inventory_loader.get('ini').parse(inventory, loader, path)
            inventory.reconcile_inventory()
        except Exception as why:  # whatever its reader lets through
            return str(why)
        return 'for no reason'

    def groups(self):
        place = {h: i for i, h in enumerate(self.hosts)}
        return {name: sorted((h.name for h in group.get_hosts()), key=place.get)
                for name, group in self.inventory.groups.items()}

    def limit(self, pattern):
        """The nodes, in file order; [] where Ansible refuses or there are none; None where it counts positions in an
        order of its own, or among load balancers (pattern.h)."""
        place = {h: i for i, h in enumerate(self.hosts)}
        try:
            for part in split_host_pattern(pattern):
                part = part[1:] if part[0] in '&!' else part
                if not part:
                    return []
                base, position = self.inventory._split_subscript(part) if part not in place else (part, None)
                if position:
                    among = [h.name for h in self.inventory._enumerate_matches(base)]
                    if among != sorted(set(among), key=place.get) or self.lbs & set(among):
                        return None
            found = {h.name for h in self.inventory.get_hosts(pattern)}
        except AnsibleError:
            return []
        return sorted(found - self.lbs, key=place.get)
