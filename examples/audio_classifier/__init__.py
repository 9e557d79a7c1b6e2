"""A classifier of musical instruments, built to compare poolings over time.

The modules, in the order in which a clip passes them: `audio` decodes a file,
`synthesis` makes one up, `features` turns it into a log-mel spectrogram, `dataset`
collects clips and splits them, `store` keeps their features on disk, `model` and
`training` build and fit the network, `archive` saves it, `report` shows what came out.
"""
