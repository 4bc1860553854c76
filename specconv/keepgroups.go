package specconv

import "github.com/skiff-oci/skiff/libcontainer/plan"

// keepGroupsAnnotation has a process keep the supplementary groups of skiff's
// caller, as with crun. It is for an ordinary user, who may not map all of them,
// and for what is shared with one of them: podman's --group-add keep-groups.
const keepGroupsAnnotation = "run.oci.keep_original_groups"

// keepGroups leaves the groups of a process alone, and so out of the
// configuration.
func (c *compiler) keepGroups(p *plan.Process) {
	if p.KeepGroups = c.flagAnnotation(keepGroupsAnnotation); p.KeepGroups {
		p.Groups = nil
	}
}
