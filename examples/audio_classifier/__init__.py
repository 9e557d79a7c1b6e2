"""What train_audio_classifier.py needs around its network.

In the order in which a clip passes them: `synthesis` makes one up, `clips` finds and
splits them, `features` turns one into a log-mel spectrogram, `report` shows what came
out of training.
"""
