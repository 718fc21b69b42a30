/** How CRI-O and cri-dockerd say that the pod or the container of a request is not there. */
export const absence = /No such container|does not exist|not found/i;
