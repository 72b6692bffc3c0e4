tts
