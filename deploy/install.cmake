# cmake --install build/release --prefix /usr   what a package would hold; completions are written by the nilo just built.
include(GNUInstallDirs)
if(TARGET nilo AND TARGET nilod)
    set(completion ${CMAKE_BINARY_DIR}/completion)
    add_custom_command(
        OUTPUT ${completion}/nilo ${completion}/_nilo
        COMMAND ${CMAKE_COMMAND} -E make_directory ${completion}
        COMMAND nilo completion bash > ${completion}/nilo
        COMMAND nilo completion zsh > ${completion}/_nilo
        DEPENDS nilo)
    add_custom_target(completion ALL DEPENDS ${completion}/nilo ${completion}/_nilo)
    install(TARGETS nilod nilo RUNTIME)
    install(FILES ${completion}/nilo DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    install(FILES ${completion}/_nilo DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
    install(FILES deploy/man/nilo.1 deploy/man/nilod.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES deploy/nilod.service DESTINATION lib/systemd/system)
    install(FILES deploy/sysctl.d/60-nilometer.conf DESTINATION lib/sysctl.d)
    # The unit reads it there, whatever the prefix (DESTDIR moves it); one that is there is somebody's and stays.
    install(CODE "if(NOT EXISTS \"\$ENV{DESTDIR}/etc/nilometer/nilod.conf\")
        file(INSTALL \"${CMAKE_SOURCE_DIR}/deploy/nilod.conf\" DESTINATION \"/etc/nilometer\")
    endif()")
    install(FILES deploy/prometheus/nilometer.rules.yml deploy/grafana/nilometer.json DESTINATION ${CMAKE_INSTALL_DATADIR}/nilometer)
endif()
