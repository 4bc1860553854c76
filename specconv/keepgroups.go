// SPDX-License-Identifier: Apache-2.0

package specconv

import "github.com/skiff-oci/skiff/libcontainer/plan"

// keepGroupsAnnotation makes a process keep the supplementary groups of skiff's caller, as
// in crun. It gives an ordinary user, who may not map all of these groups, access to files
// that are shared with one of them: podman's --group-add keep-groups.
const keepGroupsAnnotation = "run.oci.keep_original_groups"

// keepGroups sets p.KeepGroups if the annotation is there. Then user.additionalGids has no
// effect.
func (c *compiler) keepGroups(p *plan.Process) {
	if p.KeepGroups = c.flagAnnotation(keepGroupsAnnotation); p.KeepGroups {
		p.Groups = nil
	}
}
