/** Matches the errors of CRI-O and cri-dockerd for a pod or container that does not exist. */
export const absence = /No such container|does not exist|not found/i;
